"""Folders whose files are listed with their digests: a file is used only if it is the one that was written.

``manifest.json`` lists every file below the folder. What does not match it, is missing, or is not listed is refused
before anything is used. The manifest itself is pinned by whoever points to the folder.
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
"""What to do about a damaged panel."""
LARGEST = 1_000_000_000
"""Bytes of the largest file of a panel, and of the arrays of one file."""
_MANIFEST_LIMIT = 10_000_000

Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileSeal(Record):
    """One file as it was written."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=LARGEST)]


class Manifest(Record):
    """All files of a folder, by their names in it."""

    files: dict[Name, FileSeal]


@dataclass(frozen=True)
class Sealed:
    """A folder that matches its manifest. Raises ``PanelError`` for whatever does not."""

    folder: Path
    files: dict[str, FileSeal]
    _checked: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)
    """States in which files matched."""

    @classmethod
    def open(cls, folder: Path, pinned: str) -> "Sealed":
        """Checks the manifest against the digest that it should have, and every file that it lists."""
        with damaged(folder / MANIFEST):
            data = read_bytes(inside(folder, MANIFEST), limit=_MANIFEST_LIMIT)
            if hashlib.sha256(data).hexdigest() != pinned:
                raise _changed(folder / MANIFEST)
            sealed = cls(folder, Manifest.model_validate(parse_json(data, folder / MANIFEST)).files)
        for name in sealed.files:
            sealed.path(name)
        return sealed

    def path(self, name: str) -> Path:
        """The path of a listed file; it is checked again where it was touched since."""
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
        """The contents of a listed file."""
        with damaged(self.folder / name):
            return read_bytes(self.path(name))

    def json(self, name: str) -> Json:
        """A JSON object of a listed file."""
        with damaged(self.folder / name):
            loaded = parse_json(self.read(name), self.folder / name)
            if not isinstance(loaded, dict):
                raise FileError(f"{self.folder / name} should hold a JSON object")
            return loaded

    def check_listed(self, entries: Iterator[str]) -> None:
        """Raises ``PanelError`` for the first entry that is not listed; names that begin with a dot are left alone."""
        for name in entries:
            if name not in self.files and not name.rpartition("/")[2].startswith("."):
                raise PanelError(f"{self.folder / name} does not belong to the panel: remove it, or {AGAIN}")


def seal(folder: Path, leave_out: frozenset[str] = frozenset()) -> str:
    """Writes the manifest of all files below a folder but those in the folders that are left out; returns its digest.

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
    """Every error that damaged or hostile contents can cause, as a ``PanelError`` of one line that says what to do."""
    try:
        yield
    except PanelError:
        raise
    except FileError as error:
        raise PanelError(f"{error}; {AGAIN}") from None
    except Exception as error:  # noqa: BLE001 - whatever a part makes of contents that make no sense
        raise PanelError(f"{what} is damaged: {type(error).__name__}: {one_line(error)}; {AGAIN}") from None


def one_line(error: Exception) -> str:
    """The beginning of a message, in one line."""
    return " ".join(str(error).split())[:200]


def _changed(path: Path) -> FileError:
    return FileError(f"{path} has changed since it was written, or is damaged")


def _seal_of(path: Path) -> FileSeal:
    with path.open("rb") as file:
        return FileSeal(sha256=_digest(file), size=_state(file)[0])


def _digest(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _state(file: BufferedReader) -> tuple[int, ...]:
    """Changes when the file is written or replaced."""
    now = os.fstat(file.fileno())
    return now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_dev
