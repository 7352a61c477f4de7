"""Folders with a manifest of file digests: a file is used only if it is unchanged.

``manifest.json`` lists every file below the folder. Files that do not match, are missing or are not listed are
rejected before anything is used. The manifest's own digest is stored by whatever refers to the folder.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Annotated

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import FileError, PanelError
from doubleread.core.safe_files import inside, open_regular, parse_json, read_bytes
from doubleread.core.types import Json

MANIFEST = "manifest.json"
AGAIN = "copy the panel again, or fit it again"
"""Advice for a damaged panel."""
LARGEST = 1_000_000_000
"""Largest size of a panel's file, and of the arrays of one file, in bytes."""
_MANIFEST_LIMIT = 10_000_000

Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileSeal(Record):
    """Size and digest of a file as it was written."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=LARGEST)]


class Manifest(Record):
    """All files of a folder, by name."""

    files: dict[Name, FileSeal]


@dataclass(frozen=True)
class Sealed:
    """A folder that matches its manifest. Raises ``PanelError`` on a mismatch."""

    folder: Path
    files: dict[str, FileSeal]
    _checked: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)
    """File states in which the files were checked."""

    @classmethod
    def open(cls, folder: Path, pinned: str) -> "Sealed":
        """Checks the manifest against its expected digest, and every file that it lists."""
        with damaged(folder / MANIFEST):
            data = read_bytes(inside(folder, MANIFEST), limit=_MANIFEST_LIMIT)
            if hashlib.sha256(data).hexdigest() != pinned:
                raise _changed(folder / MANIFEST)
            sealed = cls(folder, Manifest.model_validate(parse_json(data, folder / MANIFEST)).files)
        for name in sealed.files:
            sealed.path(name)
        return sealed

    def path(self, name: str) -> Path:
        """Returns the path of a listed file, which is checked again if it was touched since."""
        with damaged(self.folder / name):
            path = inside(self.folder, name)
            if name not in self.files:
                raise FileError(f"{path} is not listed in {MANIFEST}")
            with open_regular(path) as file:
                now = _state(file)
                if self._checked.get(name) != now:
                    if now[0] != self.files[name].size or _digest(file) != self.files[name].sha256:
                        raise _changed(path)
                    self._checked[name] = now
        return path

    def read(self, name: str) -> bytes:
        """Returns the contents of a listed file."""
        with damaged(self.folder / name):
            return read_bytes(self.path(name))

    def json(self, name: str) -> Json:
        """Returns the JSON object in a listed file."""
        with damaged(self.folder / name):
            loaded = parse_json(self.read(name), self.folder / name)
            if not isinstance(loaded, dict):
                raise FileError(f"{self.folder / name} should hold a JSON object")
            return loaded

    def check_listed(self, entries: Iterator[str]) -> None:
        """Raises ``PanelError`` for the first entry that is not listed; names that begin with a dot are ignored."""
        for name in entries:
            if name not in self.files and not name.rpartition("/")[2].startswith("."):
                raise PanelError(f"{self.folder / name} does not belong to the panel: remove it, or {AGAIN}")


def seal(folder: Path, leave_out: frozenset[str] = frozenset()) -> str:
    """Writes the manifest of all files below a folder, except the given folders, and returns its digest.

    Raises ``OSError``.
    """
    files = {
        path.relative_to(folder).as_posix(): _seal_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in leave_out
    }
    data = json.dumps(Manifest(files=files).model_dump(), indent=1, ensure_ascii=False).encode()
    (folder / MANIFEST).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


@contextmanager
def damaged(what: Path) -> Iterator[None]:
    """Converts any error caused by damaged or hostile contents to a one-line ``PanelError`` with advice."""
    try:
        yield
    except PanelError:
        raise
    except FileError as error:
        raise PanelError(f"{error}; {AGAIN}") from None
    except Exception as error:  # noqa: BLE001 - parts may raise anything on invalid contents
        raise PanelError(f"{what} is damaged: {type(error).__name__}: {one_line(error)}; {AGAIN}") from None


def one_line(error: Exception) -> str:
    """Returns the beginning of a message on one line."""
    return " ".join(str(error).split())[:200]


def _changed(path: Path) -> FileError:
    return FileError(f"{path} has changed since it was written, or is damaged")


def _seal_of(path: Path) -> FileSeal:
    with path.open("rb") as file:
        return FileSeal(sha256=_digest(file), size=_state(file)[0])


def _digest(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _state(file: BufferedReader) -> tuple[int, ...]:
    """Returns values that change when the file is written or replaced."""
    now = os.fstat(file.fileno())
    return now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_dev
