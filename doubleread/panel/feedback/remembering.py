"""A confirmed case joins the panel's archive: evidence for others from then on, never for itself.

No agent is fitted on it, and the verdict that was confirmed was given before: grading the panel on it stays honest.
"""

from doubleread.core.case import Case
from doubleread.core.ports import CaseStore
from doubleread.core.reading import Outcome
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.core.verdict import Verdict
from doubleread.rag.near_copies.near_duplicates import in_hex

CONFIRMED = "confirmed verdict"


def remember(store: CaseStore, case: Case, outcome: Outcome, embedding: Embeddings, perceptual_hash: int) -> StoredCase:
    """Puts the case of an outcome into the store, with its embedding ``(1, dim)`` and hash; on disk when it returns."""
    at = f" at {outcome.posterior[outcome.said]:.2f}" if outcome.posterior else ", unlike what the panel was trusted on"
    said = f"said {outcome.said}{at}, trust version {outcome.trust_version}"
    stored = StoredCase(
        case=case.model_copy(update={"label": outcome.label}),
        added=outcome.time,
        origin=f"{CONFIRMED} ({said})",
        reviewer=outcome.reviewer,
        perceptual_hash=in_hex(perceptual_hash),
    )
    store.put([stored], embedding)
    return stored


def forget(store: CaseStore, case: str, reviewer: str = "") -> None:
    """Takes a case out again that came from a confirmed verdict; others stay."""
    if remembered(store, case) is not None:
        store.remove([case], reviewer=reviewer)


def remembered(store: CaseStore, case: str) -> StoredCase | None:
    """The stored case, where it came from a confirmed verdict."""
    found = store.get([case])
    return found[0] if found and found[0].origin.startswith(CONFIRMED) else None


def fitted_on(store: CaseStore, verdict: Verdict) -> bool:
    """Whether the panel may have learned from the picture: it, or a near copy, is stored and was not confirmed."""
    copies = verdict.evidence.near_copies if verdict.evidence else ()
    same = (verdict.case.id, *(one.case_id for one in copies))
    return any(store.holds(one) and remembered(store, one) is None for one in same)
