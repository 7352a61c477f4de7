"""Fits a panel on labelled cases: encodes, fits agents, collects held-out answers, learns trust, builds the store.

Trust is learned from answers on cases that the agents were not fitted on: a calibration split if the data have one,
else cross-fitting with whole groups.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doubleread.core.agent_ports import HasSight, Learns, LearnsFromPatches
from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence
from doubleread.core.notices import NO_GROUPS, Caution, cautions, divided
from doubleread.core.opinion import Answer
from doubleread.core.picture_record import kinds_of
from doubleread.core.progress import Progress, silent
from doubleread.core.stored import StoredCase
from doubleread.core.subject_groups import whole_groups
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Embeddings, Labels
from doubleread.core.verdict import Unread
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.course import Course, Roster, Unlearned
from doubleread.orchestrator.course.follow import run_course
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Readers, Witness, nobody
from doubleread.orchestrator.learning.arbitration import Learning, Readings, fit_arbiter
from doubleread.orchestrator.prevalence.prior_shift import implied_prevalence
from doubleread.orchestrator.resampling import grouped_folds
from doubleread.orchestrator.simplex import shares
from doubleread.panel._referees import with_referees
from doubleread.panel._reference import Looked, PictureReference, groups_of, said_of
from doubleread.panel._rewording import consistency_gaps, with_gaps
from doubleread.panel._roll_call import RollCall
from doubleread.panel._second_prompts import choose_second_prompts, without_open_choices
from doubleread.panel.composition import VIEWS, Eyes, Seated, check_names, seat
from doubleread.panel.fitted_pictures import FittedPictures
from doubleread.rag.near_copies.copy_finder import look_at
from doubleread.rag.near_copies.near_duplicates import NearRule, in_hex
from doubleread.rag.stores.exact import ExactStore
from doubleread.settings import Settings

AT_ONCE = 32
"""Calibration cases read at the same time."""


@dataclass(frozen=True)
class Pool:
    """Labelled, readable cases with their embeddings, in the same order."""

    cases: tuple[Case, ...]
    embeddings: Embeddings
    labels: Labels
    hashes: NDArray[np.uint64]
    """Perceptual hashes of the pictures."""
    statistics: Embeddings
    """Statistics as ``picture_statistics`` returns them."""
    sights: Mapping[str, Embeddings] = field(default_factory=dict)
    """Features for agents that do not use the encoder's embeddings, by sight."""

    def __getitem__(self, rows: ArrayLike) -> "Pool":
        picked = np.asarray(rows, dtype=np.int64)
        sights = {name: seen[picked] for name, seen in self.sights.items()}
        cases = tuple(self.cases[i] for i in picked)
        return Pool(
            cases, self.embeddings[picked], self.labels[picked], self.hashes[picked], self.statistics[picked], sights
        )

    def stored(self) -> list[StoredCase]:
        """Returns the cases in the form that the store takes."""
        now = datetime.now(UTC)
        pairs = zip(self.cases, self.hashes.tolist(), strict=True)
        return [StoredCase(case=case, added=now, perceptual_hash=in_hex(value)) for case, value in pairs]

    def seen_by(self, agent: Learns) -> Embeddings:
        """Returns the features that an agent is fitted on: of its own sight, or else the encoder's."""
        return self.sights[agent.sight] if isinstance(agent, HasSight) and agent.sight else self.embeddings

    def names(self, task: Task) -> list[str]:
        """Returns the label of each case."""
        return [task.names[k] for k in self.labels]

    @property
    def groups(self) -> list[str] | None:
        """Group of each case; a case without one is its own group. None if no case has one."""
        if all(case.group is None for case in self.cases):
            return None
        return [case.group or case.id for case in self.cases]

    @property
    def subjects(self) -> list[str | None] | None:
        """Subject of each case; None if no case has one."""
        found = [case.subject for case in self.cases]
        return None if not any(found) else found


@dataclass(frozen=True)
class FittedPanel:
    """The result of fitting: the support for the store, and everything learned."""

    support: Pool
    calibration: tuple[Case, ...]
    """Cases of the readings, in the same order."""
    readings: Readings
    seated: Seated
    store: ExactStore
    arbiter: Arbiter
    near: NearRule
    """The rule for near copies."""
    pictures: FittedPictures
    """What its images were before they became RGB."""
    reference: PictureReference
    """The reference for later pictures."""
    unread: tuple[Unread, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def fit(
    cases: Sequence[Case],
    task: Task,
    settings: Settings,
    eyes: Eyes,
    progress: Progress = silent,
    witness: Witness = nobody,
    *,
    keep_going: bool = False,
) -> FittedPanel:
    """Fits a panel on labelled cases, except those of split ``test``; ``witness`` receives every answer. Blocks.

    Raises ``DataError`` if there are too few cases, ``PanelError`` if an agent cannot answer; with ``keep_going`` the
    panel does without it.
    """
    roll = RollCall(keep_going)
    check_names(settings)
    usable = whole_groups(_distinct(case for case in cases if case.label is not None and case.split != "test"))
    _check_counts([task.names[task.index(str(case.label))] for case in usable], task)
    pool, unread = _encode(usable, task, eyes, progress)
    _check_counts(pool.names(task), task)
    near = NearRule()
    eyes = replace(eyes, near=near)
    chosen = np.array([case.split == "calibration" for case in pool.cases])
    support, calibration = pool[np.flatnonzero(~chosen)], pool[np.flatnonzero(chosen)]
    scarce, told = _scarce(calibration, task), without_open_choices(witness, settings)
    if not scarce:
        _check_counts(support.names(task), task)
        seated, store = _fit_agents(support, task, settings, eyes, progress)
        parts = [_read(seated, calibration, settings, eyes, progress, told, roll, done=0, total=len(calibration.cases))]
        order, learned_from = calibration, f"calibration split of {len(calibration.cases)} cases"
    else:
        parts, order, learned_from = _cross_fit(pool, task, settings, eyes, progress, told, roll)
        if chosen.any():
            learned_from += f" (the calibration split is too small: {scarce})"
        support = pool
        seated, store = _fit_agents(support, task, settings, eyes, progress)
    joined = _join(parts, order, learned_from, support.labels, task)
    heard = roll.without_unable(tuple(seated.agents), joined)
    looks = choose_second_prompts(heard, order.cases, seated, settings, progress, witness)
    readings = with_referees(looks.readings, order.cases, seated, settings, progress, witness)
    gaps = consistency_gaps(readings, order.cases, seated, settings, progress)
    progress("learning trust", 0, 1)
    arbiter = with_gaps(learn_trust(task, settings, readings), gaps)
    progress("learning trust", 1, 1)
    reference, odd = _reference(pool, order, arbiter)
    notes, warnings = divided((*_notes(cases, order, arbiter, learned_from), *looks.notes, *odd))
    pictures = FittedPictures(kinds=kinds_of(map(eyes.images.record, pool.cases)), limits=eyes.images.policy.limits)
    return FittedPanel(
        support, order.cases, readings, seated, store, arbiter, near, pictures, reference, unread, notes, warnings
    )


def learn_trust(task: Task, settings: Settings, readings: Readings) -> Arbiter:
    """Returns the arbiter for the settings; errors as in ``fit_arbiter``."""
    return fit_arbiter(
        task,
        settings.panel.agents,
        readings,
        policy_of(settings),
        learning_of(settings),
        tuple(name for name in settings.panel.agents if name in settings.reasoner),
    )


def policy_of(settings: Settings) -> Policy:
    """Returns the limits for asking further; its gates are learned."""
    return Policy(
        **settings.second_look.model_dump(),
        **settings.worth.model_dump(),
        ask_share=settings.cascade.max_share,
        free_usd=settings.cascade.free_usd,
    )


def learning_of(settings: Settings) -> Learning:
    """Returns how trust is learned."""
    return Learning(rule=settings.fusion.rule, **settings.trust.model_dump(exclude={"consistency_cases"}))


def _encode(cases: Sequence[Case], task: Task, eyes: Eyes, progress: Progress) -> tuple[Pool, tuple[Unread, ...]]:
    seen = eyes.embed_all(cases, progress=lambda done, total: progress("encoding images", done, total))
    kept = tuple(cases[i] for i in seen.kept)
    labels = np.array([task.index(str(case.label)) for case in kept], dtype=np.int64)
    sights = {name: rows[:, 0] for name, rows in seen.sights.items()}
    looks = look_at(kept, eyes.images, partial(progress, "hashing images"))
    return Pool(kept, seen.embeddings[:, 0], labels, looks.hashes, looks.statistics, sights), seen.unread


def _reference(pool: Pool, order: Pool, arbiter: Arbiter) -> tuple[PictureReference, tuple[str, ...]]:
    """Returns the reference for later pictures, and a note on unusual pictures of the pool."""
    said = said_of(arbiter.held_out.posterior)
    trusted = Looked(order.embeddings, order.statistics, said, groups_of(order.cases))
    reference = PictureReference.of(pool.statistics, [case.group for case in pool.cases], trusted)
    return reference, reference.note(pool.statistics, [case.source for case in pool.cases])


def _distinct(cases: Iterable[Case]) -> list[Case]:
    """Returns the first case of each picture: copies on both sides of a split would inflate the metrics."""
    found: dict[str, Case] = {}
    for case in cases:
        same = found.setdefault(case.id, case)
        if same.label != case.label:
            raise DataError(
                f"{same.source} and {case.source} are one picture with two labels, {same.label} and {case.label}"
            )
    return list(found.values())


def _check_counts(labels: Sequence[str], task: Task) -> None:
    counts = Counter(labels)
    short = [f"{name} ({counts[name]})" for name in task.names if counts[name] < 2]
    if short:
        raise DataError(
            f"too few readable labelled cases to fit on: {', '.join(short)}; every label needs at least 2, "
            "and 20 or more to learn how far an agent can be trusted"
        )


def _scarce(pool: Pool, task: Task) -> str:
    """Lists labels with fewer than the 2 groups that cross-validation needs, with their number of groups."""
    names, groups = pool.names(task), pool.groups or [case.id for case in pool.cases]
    counts = {name: len({g for g, n in zip(groups, names, strict=True) if n == name}) for name in task.names}
    return ", ".join(f"{name} ({n})" for name, n in counts.items() if n < 2)


def _fit_agents(
    support: Pool, task: Task, settings: Settings, eyes: Eyes, progress: Progress
) -> tuple[Seated, ExactStore]:
    store = ExactStore(eyes.encoder.fingerprint, dim=eyes.encoder.dim)
    store.put(support.stored(), support.embeddings)
    seated = seat(settings, task, eyes, store)
    for i, agent in enumerate(seated.agents.values()):
        progress("fitting agents", i, len(seated.agents))
        if isinstance(agent, LearnsFromPatches):
            agent.fit_patches(eyes.embedder.patches_of(support.cases), support.labels, support.groups)
        elif isinstance(agent, Learns):
            agent.fit(support.seen_by(agent), support.labels, support.groups)
    progress("fitting agents", len(seated.agents), len(seated.agents))
    return seated, store


def _cross_fit(
    pool: Pool, task: Task, settings: Settings, eyes: Eyes, progress: Progress, witness: Witness, roll: RollCall
) -> tuple[list["_Answers"], Pool, str]:
    """Has every case read by agents fitted on the other folds."""
    groups = pool.groups
    if scarce := _scarce(pool, task):
        raise DataError(
            f"too few groups to learn trust by cross-validation: {scarce}; every "
            "label needs cases from at least 2 groups "
            "(captures, patients, modules), or a calibration split of its own"
        )
    folds = grouped_folds(pool.labels, groups, settings.trust.folds, settings.trust.seed)
    parts: list[_Answers] = []
    order: list[int] = []
    for train, held_out in folds:
        seated, _ = _fit_agents(pool[train], task, settings, eyes, silent)
        done, total = len(order), len(pool.cases)
        parts.append(_read(seated, pool[held_out], settings, eyes, progress, witness, roll, done=done, total=total))
        order += list(held_out)
    how = ", by group" if groups else ""
    return parts, pool[order], f"cross-validation in {len(folds)} folds{how}"


@dataclass(frozen=True)
class _Answers:
    first: list[list[Answer]]
    second: list[list[Answer]]
    evidence: list[Evidence]

    def add(self, course: Course, agents: Sequence[str]) -> None:
        """Adds the answers of one case, in both rounds."""
        for answers, known in ((self.first, course.known(1)), (self.second, course.known(2))):
            answers.append([known[name] for name in agents])
        assert course.evidence is not None  # found in the first round
        self.evidence.append(course.evidence)


def _read(
    seated: Seated,
    held_out: Pool,
    settings: Settings,
    eyes: Eyes,
    progress: Progress,
    witness: Witness,
    roll: RollCall,
    *,
    done: int,
    total: int,
) -> _Answers:
    """Returns the answers of every agent in both rounds on held-out cases."""
    names, rounds = tuple(seated.agents), settings.second_look.max_rounds
    if rounds > 1:
        eyes.embed_all(held_out.cases, VIEWS[1:], lambda d, _: progress("encoding crops", done + d, total))
    limit = settings.panel.agent_timeout_s

    async def everyone() -> _Answers:
        found = _Answers([], [], [])
        while (start := len(found.first)) < len(held_out.cases):
            readers = Readers(roll.present(seated.agents), seated.retriever, witness=witness, agent_timeout_s=limit)
            roster = Roster(Unlearned(seated.task, rounds), names, readers.able - roll.first_looks_only.keys())
            cases = held_out.cases[start : start + roll.wave(rounds, AT_ONCE)]
            for course in await asyncio.gather(*(run_course(case, readers, roster) for case in cases)):
                found.add(course, names)
            roll.hear(names, found.first[start:], found.second[start:])
            progress("reading calibration cases", done + len(found.first), total)
        return found

    with Background() as background:
        return background.call(everyone)


def _join(parts: Sequence[_Answers], order: Pool, learned_from: str, support: Labels, task: Task) -> Readings:
    return Readings(
        support=shares(support, len(task.names)),
        first=[row for part in parts for row in part.first],
        second=[row for part in parts for row in part.second],
        evidence=[row for part in parts for row in part.evidence],
        labels=order.labels,
        groups=order.groups,
        learned_from=learned_from,
        subjects=order.subjects,
    )


def _notes(cases: Sequence[Case], order: Pool, arbiter: Arbiter, learned_from: str) -> tuple[str, ...]:
    notes = [f"trust was learned from {learned_from}", implied_prevalence(arbiter.task, order.labels)]
    if skipped := sum(case.label is None for case in cases):
        notes.append(Caution(f"{skipped} images without a label were left out"))
    if tests := sum(case.split == "test" for case in cases):
        notes.append(f"{tests} test images were not used")
    if order.groups is None:
        notes.append(Caution(NO_GROUPS))
    return (*notes, *arbiter_notes(arbiter))


def arbiter_notes(arbiter: Arbiter) -> tuple[str, ...]:
    """Returns notes and warnings on how trust was learned."""
    return (*arbiter.notes, *cautions(arbiter.warnings), *cautions(_warnings(arbiter.profiles)))


def _warnings(profiles: Sequence[TrustProfile]) -> list[str]:
    """Returns the warnings of the profiles, each once with the agents it concerns."""
    about: dict[str, list[str]] = {}
    for one in profiles:
        for warning in one.warnings:
            about.setdefault(warning, []).append(one.agent)
    return [f"{', '.join(dict.fromkeys(agents))}: {warning}" for warning, agents in about.items()]
