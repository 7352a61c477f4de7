"""One verdict for each subject of the images that a command names."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doubleread.cli.screen import warn
from doubleread.core.errors import DataError

if TYPE_CHECKING:
    from doubleread.cli.image_arguments import NamedImages
    from doubleread.core.verdict import Unread, Verdict
    from doubleread.panel import Panel

Show = Callable[["Verdict | Unread"], None]


class SubjectVerdicts:
    """Pools the images of a subject into one verdict once the last of them has its result."""

    def __init__(self, named: "NamedImages", pattern: str) -> None:
        """``pattern`` is ``re:(…)`` and takes the subject from a path.

        Raises ``DataError`` if it is no such pattern or fits no path, and for paths that come from stdin.
        """
        if named.streamed:
            raise DataError("--subject has to know all images before: name files, folders or tables instead of -")
        paths = [one if isinstance(one, str) else one.source for one in named.found]
        self._subject = dict(zip(map(_key, paths), _subjects(paths, pattern), strict=True))
        self._left = Counter(self._subject.values())
        self._waiting: dict[str, list[Verdict | Unread]] = {}

    def add(self, panel: "Panel", result: "Verdict | Unread", show: Show) -> None:
        """Shows the result of an image without a subject, or the verdict on its subject if it is the last image."""
        path = getattr(result, "source", None) or str(result.case.path)  # type: ignore[union-attr]
        name = self._subject.get(_key(path))
        if name is None:
            show(result)
            return
        self._waiting.setdefault(name, []).append(result)
        self._left[name] -= 1
        if not self._left[name]:
            show(panel.pool(self._waiting.pop(name), subject=name))

    def add_kept(self, panel: "Panel", folder: Path, unopened: "Sequence[Unread]", show: Show) -> None:
        """Shows the subjects of a run that is complete, from its rows and the images that could not be opened."""
        from doubleread.evals.runs.run_folder import read_rows

        for one in unopened:
            self.add(panel, one, show)
        for row in read_rows(folder):
            result = row.verdict or row.unread
            if result is not None and _key(str(row.case.path)) in self._subject:
                self.add(panel, result, show)


def _subjects(paths: Sequence[str], pattern: str) -> list[str | None]:
    """The subject of each path; warns of paths that the pattern does not fit."""
    from doubleread.evals.datasets.folder_dataset import subject_pattern

    rule = subject_pattern(pattern, Path(paths[0]).as_posix() if paths else "")
    found = [rule({"path": Path(path).as_posix()}) for path in paths]
    if missing := found.count(None):
        if missing == len(found):
            raise DataError(f"--subject {pattern}: the pattern fits none of the {missing:,} paths, such as {paths[0]}")
        warn(f"--subject {pattern} fits not all paths: {missing:,} of {len(found):,} images get a verdict of their own")
    return found


def _key(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - without following links
