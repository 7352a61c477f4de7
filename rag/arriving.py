"""What becomes of a case that a data set brings to an archive.

Three states are compared, as in a merge: what the data set says now, what it said when it last wrote the case, and
what the archive says. Where the data set has not changed its word, the archive's stays: a sync never undoes what a
person corrected in the archive.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

from doubleread.core.stored import StoredCase

Fate = Literal["added", "changed", "unchanged", "kept", "duplicates", "encoded", "problems"]
_T = TypeVar("_T")


class Arrival(NamedTuple):
    """Which count a case belongs to; ``stored``: how it is to be written, where it is.

    ``corrected``: something in it is the archive's word against the data set's.
    """

    fate: Fate
    stored: StoredCase | None = None
    corrected: bool = False
    problem: str = ""


def arrive(given: StoredCase, before: StoredCase | None, told: StoredCase | None) -> Arrival:
    """``before``: the case in the archive, removed or not; ``told``: as the origin it has there last wrote it."""
    if before is None:
        return Arrival("added", given)
    if before.removed and not (told and told.removed):
        return Arrival("kept")
    if before.origin != given.origin:
        return _from_elsewhere(given, before)
    base = told or before
    if before.label != base.label and given.label not in (base.label, before.label):
        return _conflict(given, before)
    merged = _merged(base, before, given)
    if merged == before:
        return Arrival("unchanged" if merged.label == given.label else "kept")
    return Arrival("changed", merged, corrected=(merged.case, merged.tags) != (given.case, given.tags))


def _from_elsewhere(given: StoredCase, before: StoredCase) -> Arrival:
    if before.removed:
        return Arrival("changed", given)
    return _conflict(given, before) if before.label != given.label else Arrival("duplicates")


def _conflict(given: StoredCase, before: StoredCase) -> Arrival:
    whence = f" from {before.origin}" if before.origin else ""
    return Arrival(
        "problems",
        problem=f"the archive has this picture as {before.label} ({before.case.source}{whence}), here it is "
        f"{given.label}: left as it is there; relabel it there if that is wrong",
    )


def _merged(base: StoredCase, before: StoredCase, given: StoredCase) -> StoredCase:
    def pick(of: Callable[[StoredCase], _T]) -> _T:
        return of(before) if of(given) == of(base) else of(given)

    case = given.case.model_copy(
        update={
            "label": pick(lambda one: one.case.label),
            "group": pick(lambda one: one.case.group),
            "split": pick(lambda one: one.case.split),
            "path": pick(lambda one: one.case.path),
            "source": pick(lambda one: one.case.source),
            "metadata": pick(lambda one: one.case.metadata),
        }
    )
    same_label = case.label == before.label
    return before.model_copy(
        update={
            "case": case,
            "tags": pick(lambda one: one.tags),
            "reviewer": before.reviewer if same_label else given.reviewer,
            "removed": False,
        }
    )
