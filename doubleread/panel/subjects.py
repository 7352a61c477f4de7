"""What a verdict on several images of one subject is called, and what it cannot be used for."""

from collections.abc import Sequence

from doubleread.core.errors import PanelError
from doubleread.core.verdict import Unread, Verdict
from doubleread.core.verdict_wording import image_name


def subject_of(results: Sequence[Verdict | Unread]) -> str:
    """The subject that the images' cases name, or else the name of the first image."""
    named = (one.case.subject for one in results if isinstance(one, Verdict))
    first = [image_name(one) if isinstance(one, Verdict) else one.source for one in results[:1]]
    return next(filter(None, named), None) or "".join(first)


def check_single(verdict: Verdict) -> None:
    """Raises ``PanelError`` for a verdict about several images, which has no outcome of its own."""
    if verdict.images > 1:
        raise PanelError(
            f"{verdict.case.source} has {verdict.images} images: confirm the label of each, that is of every verdict "
            "in its shots"
        )
