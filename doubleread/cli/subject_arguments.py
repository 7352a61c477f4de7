"""Which of the images that a command names show one subject, and one verdict for each."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doubleread.cli.screen import warn
from doubleread.core.errors import DataError

if TYPE_CHECKING:
    from doubleread.core.verdict import Unread, Verdict
    from doubleread.panel import Panel


def subjects_in(images: Sequence[str], pattern: str | None) -> list[str | None] | None:
    """The subject of each path by a pattern (``re:(…)``); None without one. Says how many paths it does not fit.

    Raises:
        DataError: It is no such pattern, or fits no path.
    """
    if pattern is None:
        return None
    from doubleread.evals.datasets.folder_dataset import subject_pattern

    rule = subject_pattern(pattern, Path(images[0]).as_posix() if images else "")
    found = [rule({"path": Path(path).as_posix()}) for path in images]
    if missing := found.count(None):
        if missing == len(found):
            raise DataError(f"--subject {pattern}: the pattern fits none of the {missing:,} paths, such as {images[0]}")
        warn(f"--subject {pattern} fits not all paths: {missing:,} of {len(found):,} images get a verdict of their own")
    return found


def one_each(
    panel: "Panel", results: "Iterable[Verdict | Unread]", subjects: Sequence[str | None] | None
) -> "Iterator[Verdict | Unread]":
    """Yields one verdict for each subject, once its last image is there; all results as they are without subjects."""
    from doubleread.panel.subjects import by_subject

    if subjects is None:
        yield from results
        return
    yield from by_subject(results, subjects, lambda found, name: panel.pool(found, subject=name))
