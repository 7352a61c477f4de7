"""Finds the images that an annotation file names: where it says, or by their name in its folder."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from doubleread.core.case import RowProblem
from doubleread.evals.datasets.folder_walk import FolderWalk, walk

SIDE_FOLDERS = frozenset({"annotations", "annotation", "labels"})
"""Folders beside the images in which tools put their annotation files."""
_REMOTE = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
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
        remote = bool(_REMOTE.match(named))
        texts = _paths(named, file.parent.name)
        if not texts[-1].strip():
            return FoundImage(problem="the path is empty")
        for path in (home / text for text in texts for home in _homes(file)):
            if not remote and _is_file(path):
                return FoundImage(path)
        why = "is a web address, which is not downloaded" if remote else "is missing"
        return self._by_name(PurePosixPath(texts[-1]), home_of(file), why)

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

    def _by_name(self, path: PurePosixPath, home: Path, why: str) -> FoundImage:
        """The image below ``home`` whose path ends most like this one."""
        for name in dict.fromkeys((path.name, _UPLOAD.sub("", path.name))):
            there = [one for one in self._index.get(_alike(name), []) if (self.folder / one).is_relative_to(home)]
            shared = [(_shared(one, path), one.name == name) for one in there]
            best = [one for one, n in zip(there, shared, strict=True) if n == max(shared)]
            if len(best) == 1:
                return FoundImage(self.folder / best[0], by_name=True)
            if best:
                told = f"{len(best)} files in {home} have its name, such as {best[0]} and {best[1]}"
                return FoundImage(problem=f"the file {why}, and {told}")
        return FoundImage(problem=f"the file {why}; put an image of that name into {home}")

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for path in self.walked.images:
            found[_alike(path.name)].append(path)
        return dict(found)


def home_of(file: Path) -> Path:
    """The folder of the data set that an annotation file belongs to."""
    return file.parent.parent if file.parent.name.lower() in SIDE_FOLDERS else file.parent


def _paths(named: str, folder: str) -> list[str]:
    """What the path of a text may be, the most likely first: as it stands, of Windows, or with %20 for spaces.

    Label Studio's address of a local file begins with the name of the export's folder.
    """
    path = _REMOTE.sub("", named)
    if local := re.search(r"/local-files/\?(?:.*&)?d=([^&]*)", path):
        return [unquote(local[1]).removeprefix(f"{folder}/")]
    plain = path.replace("\\", "/")
    if path != named:
        return [unquote(re.split(r"[?#]", plain, maxsplit=1)[0])]
    return list(dict.fromkeys((path, plain, unquote(plain))))


def _homes(file: Path) -> list[Path]:
    """Folders that tools take paths as relative to, the narrowest first."""
    stem = file.stem
    bases = list(dict.fromkeys((file.parent, home_of(file))))
    parts = dict.fromkeys(part for part in (stem.partition("_")[2], stem.rpartition("_")[2], stem) if part)
    inner = [base / above / part for part in parts for base in bases for above in ("images", "")]
    return [*inner, *bases, *(base / name for base in bases for name in ("images", "data"))]


def _alike(name: str) -> str:
    """The name as systems compare it that ignore case or compose letters differently."""
    return unicodedata.normalize("NFC", name).casefold()


def _shared(one: Path, other: PurePosixPath) -> int:
    """How many parts at the end two paths have in common."""
    pairs = zip(reversed(one.parts), reversed(other.parts), strict=False)
    same = [_alike(a) == _alike(b) for a, b in pairs]
    return (same.index(False) if False in same else len(same)) or 1  # the name is the same but for what was added


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
