"""Finds the images that an annotation file names: where it says, or by their name in its folder."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from doubleread.core.case import RowProblem
from doubleread.evals.datasets.folder_walk import FolderWalk, walk

SIDE_FOLDERS = frozenset({"annotations", "annotation", "labels"})
"""Folders beside the images in which tools put their annotation files."""
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of an uploaded file."""


class FoundImage(NamedTuple):
    """The file of an image, or why there is none."""

    path: Path | None = None
    by_name: bool = False
    """Whether the file has the name, but is not where the annotation file says."""
    problem: str = ""


class ImagesBeside:
    """The images in a folder that annotation files name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, named: str, file: Path) -> FoundImage:
        """The image that ``file`` names: its path as it stands or relative to the usual folders, else by its name."""
        address = urlsplit(named) if "://" in named[:20] else None
        text = _local(named, file.parent.name) if address is None else unquote(address.path)
        if not text.strip():
            return FoundImage(problem="the path is empty")
        for path in (home / one for one in (text, text.replace("\\", "/")) for home in _homes(file)):
            if address is None and _is_file(path):
                return FoundImage(path)
        return self._by_name(text, "is a web address, which is not downloaded" if address else "is missing")

    @cached_property
    def walked(self) -> FolderWalk:
        """Every file in the folder."""
        return walk(self.folder)

    def others(self, named: Iterable[Path | None]) -> list[RowProblem]:
        """The images that were not named, and what could not be looked into."""
        known = {_place(path) for path in named if path is not None}
        told = "no annotation file names this image"
        reason = "images that no annotation file names"
        left = (path.as_posix() for path in self.walked.images if _place(self.folder / path) not in known)
        unnamed = [RowProblem(where=path, path=path, problem=told, reason=reason) for path in left]
        return unnamed + [one for one in self.walked.problems if _place(self.folder / one.path) not in known]

    def notes(self, found: Iterable[FoundImage]) -> list[str]:
        """How many images were found by their name only."""
        n = sum(one.by_name for one in found)
        told = f"{n:,} images are not where the annotations say; they were found in {self.folder} by name"
        return [told] if n else []

    def _by_name(self, text: str, why: str) -> FoundImage:
        path = PurePosixPath(text.replace("\\", "/"))
        for name in dict.fromkeys((path.name, _UPLOAD.sub("", path.name))):
            there = self._index.get(name, [])
            most = max((_shared(one, path) for one in there), default=0)
            best = [one for one in there if _shared(one, path) == most]
            if len(best) == 1:
                return FoundImage(self.folder / best[0], by_name=True)
            if best:
                told = f"{len(best)} files in {self.folder} have its name, such as {best[0]} and {best[1]}"
                return FoundImage(problem=f"the file {why}, and {told}")
        return FoundImage(problem=f"the file {why}; put an image of that name into {self.folder}")

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for path in self.walked.images:
            found[path.name].append(path)
        return dict(found)


def home_of(file: Path) -> Path:
    """The folder of the data set that an annotation file belongs to."""
    return file.parent.parent if file.parent.name.lower() in SIDE_FOLDERS else file.parent


def _local(named: str, folder: str) -> str:
    """The path in a text. In Label Studio's address of a local file it begins with the name of the export's folder."""
    if "/local-files/" in named and (given := parse_qs(urlsplit(named).query).get("d")):
        return given[0].removeprefix(f"{folder}/")
    return named


def _homes(file: Path) -> list[Path]:
    """Folders that tools take paths as relative to, the narrowest first."""
    tail = file.stem.partition("_")[2]
    bases = list(dict.fromkeys((file.parent, home_of(file))))
    inner = [base / "images" / tail for base in bases] + [base / tail for base in bases]
    return [*inner, *bases, *(base / name for base in bases for name in ("images", "data"))]


def _shared(one: Path, other: PurePosixPath) -> int:
    """How many parts at the end two paths have in common."""
    pairs = zip(reversed(one.parts), reversed(other.parts), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one.parts), len(other.parts)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or that has a zero byte
        return False


def _place(path: Path) -> str:
    try:
        return str(path.resolve())
    except (OSError, RuntimeError):
        return str(path.absolute())
