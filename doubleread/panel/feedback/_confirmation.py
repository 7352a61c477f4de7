"""What turned out to be true of a case is written down; a case of the panel's own is refused.

Whatever is done twice counts once: after a failure half-way the same call may be made again, and completes it. A
confirmed case may join the panel's archive: evidence for others from then on, never for itself. No agent is fitted on
it, and the verdict that was confirmed was given before: grading the panel on it stays honest.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from doubleread.core.case import Case
from doubleread.core.errors import NotConfirmed, PanelError, StoreError
from doubleread.core.ports import CaseStore
from doubleread.core.reading import Outcome, Retraction, Sampling
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.core.verdict import Verdict
from doubleread.panel.outcomes import OutcomeEntry, add_entries, find_outcome
from doubleread.panel.panel_folder import PanelFolder
from doubleread.panel.trust_pointer import FITTED, read_pointer
from doubleread.rag.near_copies.near_duplicates import in_hex

CONFIRMED = "confirmed verdict"


def outcome_of(
    saved: PanelFolder, verdict: Verdict, label: str, *, own: bool, sampling: Sampling, reviewer: str, note: str
) -> Outcome:
    """What would be written down; nothing is yet.

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
    return Outcome.of(verdict, label, time=datetime.now(UTC), sampling=sampling, reviewer=reviewer, note=note)


def keep(saved: PanelFolder, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Writes outcomes down, all or none; those that stand already are given as they were first written.

    Raises ``PanelError`` where the file cannot be written, or the folder holds another panel by now.
    """
    if read_pointer(saved.folder).manifests[FITTED] != saved.pointer.manifests[FITTED]:
        raise PanelError(f"{saved.folder} holds another panel than was loaded from it: load it again")
    before = [find_outcome(saved.folder, outcome.case) for outcome in outcomes]
    pairs = list(zip(before, outcomes, strict=True))
    new = [OutcomeEntry(outcome=after) for known, after in pairs if not _same(known, after)]
    if new:
        add_entries(saved.folder, new)
    return [known if known is not None and _same(known, after) else after for known, after in pairs]


def retract(saved: PanelFolder, case: str, *, reviewer: str = "", note: str = "") -> Retraction:
    """Takes an outcome back. Raises ``NotConfirmed`` where the case has none."""
    check_confirmed(saved, case)
    taken = Retraction(case=case, reviewer=reviewer, note=note, time=datetime.now(UTC))
    add_entries(saved.folder, [OutcomeEntry(retraction=taken)])
    return taken


def check_confirmed(saved: PanelFolder, case: str) -> None:
    """Raises ``NotConfirmed`` where a case has no outcome that stands."""
    if find_outcome(saved.folder, case) is None:
        raise NotConfirmed(f"case {case} has no outcome in {saved.folder} that could be taken back")


def _same(known: Outcome | None, outcome: Outcome) -> bool:
    """Whether an outcome is on record but for the time."""
    return known is not None and known.model_copy(update={"time": outcome.time}) == outcome


def remember(store: CaseStore, case: Case, outcome: Outcome, embedding: Embeddings, perceptual_hash: int) -> StoredCase:
    """Puts the case of an outcome into the store, with its embedding ``(1, dim)`` and hash; on disk when it returns.

    Raises ``StoreError`` where that fails; the outcome is kept all the same.
    """
    at = f" at {outcome.posterior[outcome.said]:.2f}" if outcome.posterior else ", unlike what the panel was trusted on"
    said = f"said {outcome.said}{at}, trust version {outcome.trust_version}"
    stored = StoredCase(
        case=case.model_copy(update={"label": outcome.label}),
        added=outcome.time,
        origin=f"{CONFIRMED} ({said})",
        reviewer=outcome.reviewer,
        perceptual_hash=in_hex(perceptual_hash),
    )
    try:
        store.put([stored], embedding)
    except StoreError as error:
        told = "the outcome is kept, but the case is not in the archive: confirm it again to add it"
        raise StoreError(f"{error}; {told}") from None
    return stored


def forget(store: CaseStore, case: str, reviewer: str = "") -> None:
    """Takes a case out again that came from a confirmed verdict; others stay."""
    if remembered(store, case) is not None:
        store.remove([case], reviewer=reviewer)


def remembered(store: CaseStore, case: str) -> StoredCase | None:
    """The stored case, where it came from a confirmed verdict."""
    found = store.get([case])
    return found[0] if found and found[0].origin.startswith(CONFIRMED) else None


def known_as(store: CaseStore, case: str) -> tuple[str, ...]:
    """What to say of a case that the store holds; nothing of another."""
    if not store.holds(case):
        return ()
    confirmed = remembered(store, case)
    if confirmed is None:
        return ("this image is among the panel's own cases: no verdict on an unseen image",)
    by = f" by {confirmed.reviewer}" if confirmed.reviewer else ""
    return (f"this image was confirmed as {confirmed.label}{by} on {confirmed.added:%Y-%m-%d}",)


def fitted_on(store: CaseStore, verdict: Verdict) -> bool:
    """Whether the panel may have learned from the picture: it, or a near copy, is stored and was not confirmed."""
    copies = verdict.evidence.near_copies if verdict.evidence else ()
    same = (verdict.case.id, *(one.case_id for one in copies))
    return any(store.holds(one) and remembered(store, one) is None for one in same)
