"""Makes one verdict from the verdicts on a subject's images. No agent is asked again."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.trust import trust_version
from doubleread.core.types import Json, Labels, Vector
from doubleread.core.verdict import LEANINGS, Decision, Unread, Verdict
from doubleread.core.verdict_wording import failed_agents, image_name, named
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.conformal.selective_risk import SelectiveRisk
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.policy import limited, refer_instead
from doubleread.orchestrator.explanation.counterfactual import posterior_of
from doubleread.orchestrator.gates.gate import Commitment
from doubleread.orchestrator.learning.subject_pooling import NOT_LEARNED
from doubleread.orchestrator.prevalence.prior_shift import prior_in_force
from doubleread.orchestrator.trust.profile import track


class SubjectStandards(NamedTuple):
    """What calibration subjects with as many images come to, each pooled from held-out posteriors."""

    sets: ConformalSets
    selective: SelectiveRisk | None
    commitment: Commitment
    confidence: Vector
    correct: Labels


@dataclass(frozen=True)
class SubjectJudge:
    """Judges subjects by an arbiter's pooling rule; keeps the standards of each number of images."""

    arbiter: Arbiter
    _known: dict[tuple[int, int], SubjectStandards | None] = field(default_factory=dict)

    def verdict(self, subject: str, results: Sequence[Verdict | Unread]) -> Verdict:
        """One verdict from what came of the subject's images.

        An image counts once, even if it is there twice. Images that raised the alarm, got no answer or could not be
        read count as images that say nothing, so they never make the verdict surer. A single image keeps its verdict.

        Raises ``DataError`` without any image.
        """
        shots, unread = _distinct(results)
        if not shots and not unread:
            raise DataError(f"subject {subject} has no images: give at least one")
        case, bare = _case(subject, shots, unread), tuple(shot.model_copy(update=_BARE) for shot in shots)
        if len(shots) == 1 and not unread:
            own = shots[0].case.model_copy(update={"subject": subject})
            return shots[0].model_copy(update={"case": own, "shots": bare})
        common: Json = {
            "case": case,
            "task": self.arbiter.task.id,
            "trust_version": shots[0].trust_version if shots else trust_version(self.arbiter.profiles),
            "seconds": sum(shot.seconds for shot in shots),
            "cost_usd": sum(shot.cost_usd for shot in shots),
            "shots": bare,
            "unread": unread,
        }
        said = [shot for shot in shots if shot.posterior]
        judged = self._judged(said, shots, unread) if said else self._nothing(shots)
        return Verdict.model_validate({**common, **judged, "warnings": (*judged["warnings"], *_told(shots, unread))})

    def rehearse(self) -> None:
        """Works out the standards of two images, so that inconsistent parts fail now. Raises whatever they raise."""
        rows, n = self.arbiter.subjects.held_out, len(self.arbiter.held_out.posterior)
        if rows is not None and len(rows.subject) != n:
            raise DataError(f"subjects of {len(rows.subject)} cases, posteriors of {n}")
        self._standards(2, 1)

    def _judged(self, said: Sequence[Verdict], shots: Sequence[Verdict], unread: Sequence[Unread]) -> Json:
        """The fields that rest on the images with a posterior."""
        arbiter, silent = self.arbiter, len(shots) + len(unread) - len(said)
        names, posterior = arbiter.task.names, self._pooled(said, silent)
        known = self._standards(len(said), silent)
        sets = known.sets if known and not self._unpromised(said, shots) else None
        p_values = None if sets is None else sets.p_values(posterior[None])[0]
        return {
            "posterior": dict(zip(names, posterior.tolist(), strict=True)),
            "decision": self._decision(said, silent),
            "prediction_set": names if sets is None else tuple(names[k] for k in sets.predict(posterior[None])[0]),
            "p_values": {} if p_values is None else dict(zip(names, p_values.tolist(), strict=True)),
            "coverage": sets.coverage if sets and sets.kind != "everything" else None,
            "track": track(float(posterior.max()), known.confidence, known.correct == 1) if known else None,
            "warnings": tuple(self._limits(len(said))),
        }

    def _nothing(self, shots: Sequence[Verdict]) -> Json:
        """The fields where no image has a posterior: an alarm if one raised it."""
        task = self.arbiter.task
        alarms = [shot.familiarity for shot in shots if shot.familiarity and shot.familiarity.alarm]
        leanings = [[shot.leaning[name] for name in task.names] for shot in shots if shot.leaning]
        leaning = np.mean(leanings, axis=0).tolist() if leanings else []
        why = "no image of the subject is like the calibration images" if alarms else "no image gave an answer"
        return {
            "posterior": {},
            "leaning": dict(zip(task.names, leaning, strict=False)),
            "decision": Decision(action="refer", reasons=(why,), expected_cost=task.costs.referral),
            "prediction_set": task.names,
            "familiarity": min(alarms, key=lambda one: one.score, default=None),
            "warnings": (),
        }

    def _pooled(self, said: Sequence[Verdict], silent: int) -> Vector:
        P = np.stack([posterior_of(shot, self.arbiter.task) for shot in said])
        pooled = self.arbiter.subjects.pool(P, np.zeros(len(P), dtype=np.int64), self._prior, silent)
        return np.asarray(pooled[0])

    def _decision(self, said: Sequence[Verdict], silent: int) -> Decision:
        """Commits if it pays for subjects, and would without the images on which an agent gave no answer."""
        decision = self._by_limits(said, silent)
        whole = [shot for shot in said if not failed_agents(shot)]
        if decision.action != "commit" or len(whole) == len(said):
            return decision
        gone = len(said) - len(whole)
        if whole and self._by_limits(whole, silent + gone).label == decision.label:
            return decision
        reason = f"an agent gave no answer on {gone} of the images, which might have changed this decision"
        return refer_instead(self.arbiter.task, decision, reason)

    def _by_limits(self, said: Sequence[Verdict], silent: int) -> Decision:
        arbiter, known, posterior = self.arbiter, self._standards(len(said), silent), self._pooled(said, silent)
        if known is not None:
            return limited(arbiter.task, posterior, known.commitment, known.selective)
        decision = limited(arbiter.task, posterior, arbiter.commitment, None)
        if arbiter.selective is None:
            return decision
        return refer_instead(
            arbiter.task, decision, f"the promised limit on errors is for single images: {NOT_LEARNED}"
        )

    def _standards(self, read: int, silent: int) -> SubjectStandards | None:
        """Standards of subjects with ``read`` images that say something; None if none were learned."""
        key = min(read, self.arbiter.subjects.most), silent
        if key not in self._known:
            self._known[key] = self._fitted(*key)
        return self._known[key]

    def _fitted(self, read: int, silent: int) -> SubjectStandards | None:
        """Takes ``read`` images of each calibration subject with at least as many, and pools them alike."""
        arbiter, rows = self.arbiter, self.arbiter.subjects.held_out
        if rows is None:
            return None
        picked, subjects = _drawn(np.array(rows.subject), read)
        first = picked[np.unique(subjects, return_index=True)[1]]
        labels, groups, rho = (np.array(values)[first] for values in (rows.label, rows.group, rows.rho))
        posterior = arbiter.subjects.pool(arbiter.held_out.posterior[picked], subjects, self._prior, silent, rho)
        confidence, correct = posterior.max(axis=1), posterior.argmax(axis=1) == labels
        promise = arbiter.selective
        return SubjectStandards(
            ConformalSets.fit(posterior, labels, arbiter.sets.coverage, arbiter.sets.score, groups=groups),
            promise and SelectiveRisk.fit(confidence, correct, promise.risk, promise.delta, groups=groups),
            Commitment.fit(arbiter.task, posterior, labels, groups),
            confidence,
            correct.astype(np.int64),
        )

    def _unpromised(self, said: Sequence[Verdict], shots: Sequence[Verdict]) -> bool:
        """Whether the subject is not like those that sets were calibrated on."""
        return len(said) > self.arbiter.subjects.most or any(shot.unfamiliar for shot in shots)

    def _limits(self, read: int) -> Iterator[str]:
        pooling = self.arbiter.subjects
        if not pooling.learned:
            yield f"{NOT_LEARNED}: this is their mean, and no set of labels is promised for it"
        elif read > pooling.most:
            yield (
                f"too few calibration subjects have more than {pooling.most} images, and this one has {read}: further "
                "images do not make the verdict surer, and no set of labels is promised"
            )

    @cached_property
    def _prior(self) -> Vector:
        return prior_in_force(self.arbiter)


_BARE: Json = {name: {} for name in LEANINGS}
"""The images' verdicts inside a subject's do without what no output may show."""


def _distinct(results: Iterable[Verdict | Unread]) -> tuple[tuple[Verdict, ...], tuple[Unread, ...]]:
    """The verdicts, one a picture, and the unread images, one a file."""
    shots: dict[str, Verdict] = {}
    unread: dict[str, Unread] = {}
    for i, one in enumerate(results):
        if isinstance(one, Verdict):
            shots.setdefault(one.case.id, one)
        else:
            unread.setdefault(f"memory {i}" if one.source == "memory" else one.source, one)
    return tuple(shots.values()), tuple(unread.values())


def _case(subject: str, shots: Sequence[Verdict], unread: Sequence[Unread]) -> Case:
    """Stands for the subject; its id is made from those of its images."""
    parts = (subject, *sorted(shot.case.id for shot in shots), *sorted(one.source for one in unread))
    labels, groups = {shot.case.label for shot in shots}, {shot.case.group for shot in shots}
    return Case(
        id=hashlib.sha256("\0".join(parts).encode()).hexdigest(),
        source=subject,
        subject=subject,
        label=labels.pop() if len(labels) == 1 else None,
        group=groups.pop() if len(groups) == 1 else None,
    )


def _drawn(subjects: Labels, count: int) -> tuple[Labels, Labels]:
    """Rows of ``count`` random images of each subject that has as many, and the positions of their subjects."""
    order = np.random.default_rng(0).permutation(len(subjects))
    order = order[np.argsort(subjects[order], kind="stable")]
    order = order[subjects[order] >= 0]
    codes, start, sizes = np.unique(subjects[order], return_index=True, return_counts=True)
    picked = np.concatenate([order[at : at + count] for at, size in zip(start, sizes, strict=True) if size >= count])
    return picked, np.searchsorted(codes[sizes >= count], subjects[picked])


def _told(shots: Sequence[Verdict], unread: Sequence[Unread]) -> Iterator[str]:
    """Names the images that do not count, and passes on what is special about single images."""
    total = len(shots) + len(unread)
    if unread:
        why = "; ".join(f"{one.source}: {one.problem}" for one in unread)
        yield f"not counted, because they could not be read: {len(unread)} of {total} images ({why})"
    if alarmed := [image_name(shot) for shot in shots if shot.unfamiliar]:
        unlike = f"{len(alarmed)} of {total} images ({named(alarmed)})"
        yield f"not counted, because they are unlike the calibration images: {unlike}"
    if mute := [image_name(shot) for shot in shots if not shot.posterior and not shot.unfamiliar]:
        yield f"not counted, because no agent gave an answer: {len(mute)} of {total} images ({named(mute)})"
    said: dict[str, list[str]] = {}
    for shot in shots:
        for warning in shot.warnings if shot.posterior else ():
            said.setdefault(warning, []).append(image_name(shot))
    for warning, where in said.items():
        yield f"{'every image' if len(where) == len(shots) else named(where)}: {warning}"
