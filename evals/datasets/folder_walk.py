"""Every file below a folder: an image, or left out for a reason. Contents decide, not the ending of the name."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from stat import S_ISREG

from doubleread.core.case import RowProblem, shown
from doubleread.evals.datasets.label_names import IMAGE_SUFFIXES, suffix
from doubleread.rag.images.image_kinds import HEAD, kind_of

_JUNK_FOLDERS = {
    "@eadir": "Synology thumbnails (@eaDir)",
    "#recycle": "the recycle bin of a NAS (#recycle)",
    "@recycle": "the recycle bin of a NAS (@Recycle)",
    ".@__thumb": "QNAP thumbnails (.@__thumb)",
    "__macosx": "macOS archive data (__MACOSX)",
    ".ipynb_checkpoints": "Jupyter checkpoints",
    ".thumbnails": "thumbnails of a desktop (.thumbnails)",
    ".git": "Git data",
    ".dvc": "DVC data",
    ".svn": "Subversion data",
    "$recycle.bin": "the Windows recycle bin",
    "system volume information": "Windows system data",
    "lost+found": "recovered data of the file system (lost+found)",
    "__pycache__": "Python bytecode",
}
_JUNK_FILES = {
    ".ds_store": "macOS folder settings (.DS_Store)",
    "thumbs.db": "Windows thumbnails (Thumbs.db)",
    "ehthumbs.db": "Windows thumbnails (Thumbs.db)",
    "desktop.ini": "Windows folder settings (desktop.ini)",
}
_UNFINISHED = frozenset({".part", ".crdownload", ".download", ".partial"})
_POINTER = b"version https://git-lfs.github.com/spec"
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass
class FolderWalk:
    """What is below a folder. Paths are relative to it; each file is in exactly one of the lists."""

    images: list[Path] = field(default_factory=list)
    """Files whose contents are an image, of whatever kind; sorted."""
    problems: list[RowProblem] = field(default_factory=list)
    """Files that are named like images and are none, and folders that cannot be read."""
    ignored: list[RowProblem] = field(default_factory=list)
    """Files that are not meant as images."""
    folders: list[Path] = field(default_factory=list)
    """Folders that are searched; sorted."""


def walk(folder: Path) -> FolderWalk:
    """Looks at every file below a folder; links are followed, except to folders that are searched anyway.

    Never fails because of a file or folder below; raises ``OSError`` if ``folder`` itself cannot be read.
    """
    os.scandir(folder).close()
    found = FolderWalk()
    for home, junk, entries in _Folders(folder, found):
        if not junk and home != folder:
            found.folders.append(home.relative_to(folder))
        for entry in entries:
            _sort(found, folder, Path(entry.path), junk or _junk(entry.name))
    found.images.sort()
    found.folders.sort()
    return found


class _Folders:
    """The folders below one, each with its junk's name and the entries that are not folders."""

    def __init__(self, root: Path, found: FolderWalk) -> None:
        self._above = {_known_by(one) for one in (root.resolve(), *root.resolve().parents)}
        self._visited: dict[tuple[int, int], Path] = {}
        self._root, self._found = root, found

    def __iter__(self) -> Iterator[tuple[Path, str, list["os.DirEntry[str]"]]]:
        linked: list[tuple[Path, str]] = []
        waiting = [(self._root, "")]
        while waiting or linked:
            home, junk = waiting.pop() if waiting else linked.pop()  # real folders before links to them
            try:
                entries = self._entries(home)
            except OSError as error:
                self._found.problems.append(_closed(home, self._root, error.strerror or str(error)))
                continue
            folders = [entry for entry in entries if _is_folder(entry)]
            for entry in folders:
                inner = junk or _JUNK_FOLDERS.get(entry.name.lower(), "hidden" if entry.name.startswith(".") else "")
                (linked if entry.is_symlink() else waiting).append((Path(entry.path), inner))
            yield home, junk, [entry for entry in entries if entry not in folders]

    def _entries(self, home: Path) -> list["os.DirEntry[str]"]:
        known = _known_by(home)
        if home != self._root and known in self._above:
            raise OSError(errno.ELOOP, "it is a link to a folder that contains it")
        if known in self._visited:
            other = self._visited[known].relative_to(self._root)
            raise OSError(errno.ELOOP, f"it is a link to {other}, which is read already")
        self._visited[known] = home
        with os.scandir(home) as entries:
            return sorted(entries, key=lambda entry: entry.name)


def _sort(found: FolderWalk, root: Path, path: Path, junk: str) -> None:
    """Puts a file where it belongs."""
    named = path.relative_to(root)
    if junk or suffix(path) in _UNFINISHED:
        found.ignored.append(_left_out(named, junk or "unfinished downloads"))
        return
    looks = suffix(path) in IMAGE_SUFFIXES
    try:
        head = head_of(path)
    except FileNotFoundError:
        told = "the file is missing: it is a link to a file that does not exist"
        (found.problems if looks else found.ignored).append(_left_out(named, "links to missing files", told))
        return
    except OSError as error:
        told = error.strerror or str(error)
        (found.problems if looks else found.ignored).append(_left_out(named, "files that cannot be opened", told))
        return
    if kind_of(head, named.suffix) is not None:
        found.images.append(named)
    elif looks:
        found.problems.append(_left_out(named, *no_image(head)))
    else:
        found.ignored.append(_left_out(named, _other(named)))


def head_of(path: Path) -> bytes:
    """The first bytes of a regular file; raises ``OSError``."""
    handle = os.open(path, _OPEN)
    try:
        if not S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return os.read(handle, HEAD)
    finally:
        os.close(handle)


def no_image(head: bytes) -> tuple[str, str]:
    """The reason, and what to tell, of a file that is named like an image and is none."""
    if not head:
        return "empty files", "the file is empty"
    if head.startswith(_POINTER):
        return "Git LFS pointers", "the file is a Git LFS pointer, not the image; run `git lfs pull`"
    if head.lstrip()[:1] == b"<":
        return "files that are not images", "the file is a web page or XML, not an image; download the image again"
    return "files that are not images", f"the file is not an image: it begins with {head[:8]!r}"


def _other(path: PurePath) -> str:
    ending = suffix(path)
    return f"other files ({ending})" if ending and len(ending) < 12 else "other files"


def _junk(name: str) -> str:
    if known := _JUNK_FILES.get(name.lower()):
        return known
    if name.startswith("._"):
        return "macOS file data (._*)"
    if name.startswith(".") and name.endswith(".icloud"):
        return "iCloud placeholders (the image is not downloaded)"
    return "hidden files" if name.startswith(".") else ""


def _left_out(path: Path, reason: str, problem: str = "") -> RowProblem:
    reason = "files in hidden folders" if reason == "hidden" else reason
    return RowProblem(where=shown(path), path=shown(path), problem=problem or reason, reason=reason)


def _closed(folder: Path, root: Path, why: str) -> RowProblem:
    where = shown(folder.relative_to(root))
    return RowProblem(where=where, problem=f"the folder cannot be read: {why}", reason="folders that cannot be read")


def _known_by(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False
