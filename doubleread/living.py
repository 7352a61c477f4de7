"""Living trust: outcomes are confirmed, watched for drift, and learned from.

Nothing is graded by itself: a case of the panel's own cannot be confirmed, outcomes are watched only by trust that was
not learned from them, and trust that is learned from them is cross-fitted as before. Selected outcomes (the referred
ones, say) are no sample of what comes: accuracy, label shares and prediction sets must not rest on them, so learning
leaves them out unless it is told otherwise, and then the profiles warn of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from doubleread.core.errors import PanelError
from doubleread.core.reading import Outcome, Reading, Retraction, Sampling
from doubleread.core.trust import TrustProfile
from doubleread.core.verdict import Verdict
from doubleread.fitting import arbiter_notes, learn_trust
from doubleread.orchestrator.arbiter import Arbiter
from doubleread.orchestrator.drift import ALPHA, Baseline, Drift, Stream, watch
from doubleread.orchestrator.grading import Graded, graded_learned, graded_unseen
from doubleread.orchestrator.kept import readings_of
from doubleread.orchestrator.metrics import confidences, correctness
from doubleread.orchestrator.simplex import spoken
from doubleread.outcomes import Entry, add_entries, read_outcomes
from doubleread.panel_folder import PanelFolder, read_panel
from doubleread.trust_folder import READINGS, Trust, TrustVersion, read_lines, use_version, versions, write_version

KINDS = 2
"""Tests of each reader: calibration and accuracy."""


# -- confirming -----------------------------------------------------------------------------------------------------


def confirm(
    saved: PanelFolder,
    verdict: Verdict,
    label: str,
    *,
    own: bool,
    sampling: Sampling = "selected",
    reviewer: str = "",
    note: str = "",
) -> Outcome:
    """Writes down what turned out to be true of a verdict's case; on disk when it returns.

    ``own`` tells whether the case is among the panel's own. Raises ``PanelError`` for such a case and for a verdict of
    another panel, ``TaskError`` for a label that the task does not know, and ``DataError`` where no agent spoke.
    """
    task, agents = saved.arbiter.task, saved.arbiter.agents
    if verdict.task != task.id:
        raise PanelError(f"{verdict.case.source}: a verdict of task {verdict.task!r}; this panel's is {task.id!r}")
    if strangers := sorted({o.agent for o in verdict.opinions} - set(agents)):
        raise PanelError(f"{verdict.case.source}: a verdict of another panel, with {', '.join(strangers)}")
    task.index(label)
    if own:
        raise PanelError(
            f"{verdict.case.source} is among the panel's own cases: it has learned from it, and cannot be graded by it"
        )
    now = datetime.now(UTC)
    outcome = Outcome.of(verdict, label, time=now, sampling=sampling, reviewer=reviewer, note=note)
    add_entries(saved.folder, [Entry(outcome=outcome)])
    return outcome


def retract(saved: PanelFolder, case: str, *, reviewer: str = "", note: str = "") -> Retraction:
    """Takes an outcome back. Raises ``PanelError`` where the case has none."""
    if case not in {outcome.case for outcome in read_outcomes(saved.folder).standing}:
        raise PanelError(f"case {case} has no outcome in {saved.folder} that could be taken back")
    taken = Retraction(case=case, reviewer=reviewer, note=note, time=datetime.now(UTC))
    add_entries(saved.folder, [Entry(retraction=taken)])
    return taken


# -- what a panel is judged on --------------------------------------------------------------------------------------


def calibration_rows(saved: PanelFolder) -> tuple[Reading, ...]:
    """The answers that the panel's first trust was learned from.

    Raises ``PanelError`` for a panel that was fitted before these were kept.
    """
    if not keeps_readings(saved):
        raise PanelError(
            f"{saved.folder} keeps no readings ({READINGS}), so its trust can be neither updated nor watched: "
            "it was fitted by an older doubleread; fit again to keep them"
        )
    return read_lines(saved.folder / READINGS, Reading)


def keeps_readings(saved: PanelFolder) -> bool:
    """Whether the panel can learn from outcomes."""
    return (saved.folder / READINGS).is_file()


def calibration_cases(saved: PanelFolder) -> frozenset[str]:
    """Ids of the calibration cases, as far as they were kept."""
    return frozenset(row.case for row in calibration_rows(saved)) if keeps_readings(saved) else frozenset()


def learned_rows(saved: PanelFolder) -> tuple[Reading, ...]:
    """All that the panel's trust, in this version, was learned from."""
    return (*calibration_rows(saved), *saved.trust.outcomes)


def graded(saved: PanelFolder, others: Sequence[Reading] = ()) -> Graded:
    """Every reader on what the panel was learned from, cross-fitted, and on ``others`` that it was not."""
    rows = learned_rows(saved)
    seen = {row.case for row in rows}
    found = graded_learned(saved.arbiter, rows)
    return found + graded_unseen(saved.arbiter, [row for row in others if row.case not in seen])


def unseen_outcomes(saved: PanelFolder) -> tuple[Outcome, ...]:
    """Standing outcomes that this version was not learned from, neither their cases nor their groups.

    Of a group only the first: its others are no witnesses of their own.
    """
    rows = learned_rows(saved)
    cases, groups = {row.case for row in rows}, {row.group for row in rows if row.group is not None}
    found: dict[str, Outcome] = {}
    for outcome in read_outcomes(saved.folder).standing:
        if outcome.case not in cases and outcome.group not in groups:
            found.setdefault(outcome.group or outcome.case, outcome)
    return tuple(found.values())


# -- watching -------------------------------------------------------------------------------------------------------


def drifts(saved: PanelFolder) -> tuple[Drift, ...]:
    """What the outcomes that were not learned from say of every reader; nothing where there are none.

    The chance that any of them ever is a false alarm is ``ALPHA``, shared among the readers and their tests.
    """
    if not keeps_readings(saved) or not read_outcomes(saved.folder).standing:
        return ()
    outcomes = unseen_outcomes(saved)
    before, after = graded(saved), graded_unseen(saved.arbiter, outcomes)
    threshold = KINDS * len(before.readers) / ALPHA
    return tuple(
        drift
        for name in before.readers
        for drift in watch(name, _baseline(before, name), _stream(after, name, outcomes), threshold)
    )


def _baseline(graded: Graded, reader: str) -> Baseline:
    p = graded.readers[reader]
    spoke = spoken(p)
    groups = {group for group, there in zip(graded.groups, spoke, strict=True) if there}
    return Baseline.of(confidences(p[spoke]), correctness(p[spoke], graded.labels[spoke]), len(groups))


def _stream(graded: Graded, reader: str, outcomes: Sequence[Outcome]) -> Stream:
    p = graded.readers[reader]
    spoke = spoken(p)
    heard = [outcome for outcome, there in zip(outcomes, spoke, strict=True) if there]
    return Stream(
        confidence=confidences(p[spoke]),
        correct=correctness(p[spoke], graded.labels[spoke]),
        times=[outcome.time for outcome in heard],
        fair=np.array([outcome.sampling == "all" for outcome in heard], dtype=bool),
    )


# -- learning -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Relearned:
    """Trust as it would be, not yet written."""

    after: Trust
    about: TrustVersion
    left_out: int
    """Selected outcomes that were not used."""


def relearn(saved: PanelFolder, *, include_selected: bool = False) -> Relearned:
    """Trust learned anew from the calibration cases and all standing outcomes. Writes nothing.

    Raises ``PanelError`` where there is nothing new to learn from.
    """
    calibration = calibration_rows(saved)
    standing = read_outcomes(saved.folder).standing
    used = tuple(o for o in standing if o.sampling == "all" or include_selected)
    left_out = len(standing) - len(used)
    if used == saved.trust.outcomes:
        raise PanelError(_nothing_new(saved, left_out))
    learned_from = _learned_from(_first(saved), used)
    task = saved.arbiter.task
    rows = readings_of(task, saved.settings.panel.agents, [*calibration, *used], learned_from)
    arbiter = learn_trust(task, saved.settings, rows)
    version, now = max(versions(saved.folder)) + 1, datetime.now(UTC)
    arbiter = _stamped(arbiter, saved.arbiter, version, now, _warning(used))
    about = TrustVersion(
        version=version,
        parent=saved.trust.version,
        created=now,
        learned_from=learned_from,
        outcomes=len(used),
        selected=sum(outcome.sampling == "selected" for outcome in used),
        profiles=(),
        notes=(f"trust learned from {learned_from}", *arbiter_notes(arbiter)),
    )
    return Relearned(Trust(version, arbiter, used, about), about, left_out)


def adopt(saved: PanelFolder, relearned: Relearned) -> TrustVersion:
    """Writes a new version and makes it the one that counts, from the next loading on.

    Raises ``PanelError`` where that fails; then the trust is as it was.
    """
    write_version(saved.folder, relearned.after, relearned.about)
    use_version(saved.folder, relearned.about.version)
    return relearned.about


def _first(saved: PanelFolder) -> str:
    """What the fitted trust was learned from."""
    return read_panel(saved.folder, saved.settings, version=1).arbiter.profiles[0].learned_from


def _learned_from(first: str, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return first
    days = sorted(outcome.time.date().isoformat() for outcome in outcomes)
    selected = sum(outcome.sampling == "selected" for outcome in outcomes)
    when = days[0] if days[0] == days[-1] else f"{days[0]}–{days[-1]}"
    chosen = f"; {selected} of them selected" if selected else ""
    plural = "" if len(outcomes) == 1 else "s"
    return f"{first} and {len(outcomes)} confirmed outcome{plural} ({when}{chosen})"


def _nothing_new(saved: PanelFolder, left_out: int) -> str:
    if not left_out:
        return f"{saved.folder} has no outcome that its trust was not learned from already: confirm verdicts first"
    return (
        f"{saved.folder} has nothing new to learn from: {left_out} outcomes are of selected cases, which are no sample "
        "of what comes; confirm every case of a stream (sampling: all), or include the selected ones"
    )


def _warning(used: Sequence[Outcome]) -> tuple[str, ...]:
    selected = sum(outcome.sampling == "selected" for outcome in used)
    if not selected:
        return ()
    chosen = f"{selected} of {len(used)} outcomes were selected, not sampled"
    return (f"{chosen}: accuracy, label shares and coverage may be off",)


def _stamped(arbiter: Arbiter, before: Arbiter, version: int, now: datetime, warning: tuple[str, ...]) -> Arbiter:
    """The arbiter with profiles that say when they were learned; gaps of wording are those found at fitting."""

    def stamped(p: TrustProfile) -> TrustProfile:
        old = before.profile(p.agent, p.round)
        consistency = old.consistency if old else {}
        warnings = (*p.warnings, *warning)
        changed = {"version": version, "created": now, "consistency": consistency, "warnings": warnings}
        return p.model_copy(update=changed)

    return replace(arbiter, profiles=tuple(map(stamped, arbiter.profiles)))
