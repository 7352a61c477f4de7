"""What turned out to be true of a case is written down; a case of the panel's own is refused."""

from datetime import UTC, datetime

from doubleread.core.errors import PanelError
from doubleread.core.reading import Outcome, Retraction, Sampling
from doubleread.core.verdict import Verdict
from doubleread.outcomes import Entry, add_entries, read_outcomes
from doubleread.panel_folder import PanelFolder


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
            f"{verdict.case.source} is among the panel's own cases, or nearly the same picture is: the panel has "
            "learned from it, and cannot be graded by it"
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
