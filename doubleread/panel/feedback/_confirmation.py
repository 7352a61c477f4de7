"""Records the true label of a case; cases of the panel's own are rejected.

Calls are idempotent: after a failure half-way, the same call completes the work. A confirmed case may join the panel's
archive, as evidence for others but never for itself. No agent is fitted on it, and its verdict was given before, so
evaluating the panel on it stays valid.
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
    """Returns the outcome that would be recorded, without recording it.

    ``own`` says whether the case is one of the panel's own. Raises ``PanelError`` for such a case and for a verdict of
    another panel, ``TaskError`` for an unknown label, and ``DataError`` if no agent gave an opinion.
    """
    task, agents = saved.arbiter.task, saved.arbiter.agents
    if verdict.task != task.id:
        raise PanelError(f"{verdict.case.source}: a verdict of task {verdict.task!r}; this panel's is {task.id!r}")
    if strangers := sorted({o.agent for o in verdict.opinions} - set(agents)):
        raise PanelError(f"{verdict.case.source}: a verdict of another panel, with {', '.join(strangers)}")
    label = task.named(label)
    if own:
        raise PanelError(
            f"{verdict.case.source} is among the panel's own cases, or nearly the same picture is: the panel has "
            "learned from it, and cannot be graded by it"
        )
    return Outcome.of(verdict, label, time=datetime.now(UTC), sampling=sampling, reviewer=reviewer, note=note)


def keep(saved: PanelFolder, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Records outcomes, all or none; outcomes on record are returned as first recorded.

    Raises ``PanelError`` if the file cannot be written, or if the folder now holds another panel.
    """
    if read_pointer(saved.folder).manifests[FITTED] != saved.pointer.manifests[FITTED]:
        raise PanelError(f"{saved.folder} holds another panel than the one that was loaded: load it again")
    before = [find_outcome(saved.folder, outcome.case) for outcome in outcomes]
    pairs = list(zip(before, outcomes, strict=True))
    new = [OutcomeEntry(outcome=after) for known, after in pairs if not _same(known, after)]
    if new:
        add_entries(saved.folder, new)
    return [known if known is not None and _same(known, after) else after for known, after in pairs]


def retract(saved: PanelFolder, case: str, *, reviewer: str = "", note: str = "") -> Retraction:
    """Retracts an outcome. Raises ``NotConfirmed`` if the case has none."""
    check_confirmed(saved, case)
    taken = Retraction(case=case, reviewer=reviewer, note=note, time=datetime.now(UTC))
    add_entries(saved.folder, [OutcomeEntry(retraction=taken)])
    return taken


def check_confirmed(saved: PanelFolder, case: str) -> None:
    """Raises ``NotConfirmed`` if a case has no standing outcome."""
    if find_outcome(saved.folder, case) is None:
        raise NotConfirmed(f"case {case} has no outcome in {saved.folder} that could be taken back")


def _same(known: Outcome | None, outcome: Outcome) -> bool:
    """Whether two outcomes are equal except for the time."""
    return known is not None and known.model_copy(update={"time": outcome.time}) == outcome


def remember(store: CaseStore, case: Case, outcome: Outcome, embedding: Embeddings, perceptual_hash: int) -> StoredCase:
    """Stores the case of an outcome with its embedding ``(1, dim)`` and hash; on disk when it returns.

    Raises ``StoreError`` if that fails; the outcome stays on record.
    """
    at = f" at {outcome.posterior[outcome.said]:.2f}" if outcome.posterior else ", unlike the calibration images"
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
    """Removes a case from the store if it came from a confirmed verdict."""
    if remembered(store, case) is not None:
        store.remove([case], reviewer=reviewer)


def remembered(store: CaseStore, case: str) -> StoredCase | None:
    """Returns the stored case if it came from a confirmed verdict."""
    found = store.get([case])
    return found[0] if found and found[0].origin.startswith(CONFIRMED) else None


def known_as(store: CaseStore, case: str) -> tuple[str, ...]:
    """Returns a note for a case that the store holds; empty for others."""
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
