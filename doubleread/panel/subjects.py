"""Groups the results of a batch by subject, and pools those of each subject into one verdict."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from doubleread.core.errors import PanelError
from doubleread.core.verdict import Unread, Verdict
from doubleread.core.verdict_wording import image_name


def subject_of(results: Sequence[Verdict | Unread]) -> str:
    """The subject that the images' cases name, or else the name of the first image."""
    named = (one.case.subject for one in results if isinstance(one, Verdict))
    first = [image_name(one) if isinstance(one, Verdict) else one.source for one in results[:1]]
    return next(filter(None, named), None) or "".join(first)


def by_subject(
    results: Iterable[Verdict | Unread],
    subjects: Sequence[str | None],
    pool: Callable[[Sequence[Verdict | Unread], str], Verdict],
) -> Iterator[Verdict | Unread]:
    """Yields the pooled verdict of each subject once its last image is there; images without one as they are.

    ``subjects`` holds the subject of each result, in the same order.
    """
    last = {name: place for place, name in enumerate(subjects) if name is not None}
    waiting: dict[str, list[Verdict | Unread]] = {}
    for place, (result, name) in enumerate(zip(results, subjects, strict=True)):
        if name is None:
            yield result
            continue
        waiting.setdefault(name, []).append(result)
        if last[name] == place:
            yield pool(waiting.pop(name), name)


def check_single(verdict: Verdict) -> None:
    """Raises ``PanelError`` for a verdict about several images, which has no outcome of its own."""
    if verdict.images > 1:
        raise PanelError(
            f"{verdict.case.source} has {verdict.images} images: confirm the label of each, that is of every verdict "
            "in its shots"
        )
