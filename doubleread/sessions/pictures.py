"""The pictures of sessions: files by case id, one folder a session, whatever their name was."""

import re
import secrets
import shutil
from pathlib import Path
from typing import Protocol

from doubleread.core.case import Case
from doubleread.core.errors import SessionError
from doubleread.rag.images import open_image
from doubleread.sessions.record import Image

NAME_LENGTH = 120
_SUFFIXES = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"II*\0": ".tiff",
    b"MM\0*": ".tiff",
    b"GIF8": ".gif",
}
_CASE = re.compile(r"[0-9a-f]{64}")


class Pictures(Protocol):
    """Where the pictures are."""

    def keep(self, session: str, data: bytes, name: str) -> tuple[str, Image]:
        """Keeps a picture, whole or not at all; returns its case id and what is to be said of it.

        Raises ``ImageError`` for bytes that cannot be read as an image.
        """

    def find(self, session: str, case: str) -> Path:
        """The file of a picture; raises ``SessionError`` where there is none."""

    def delete(self, session: str) -> None:
        """Takes away every picture of a session."""

    def sweep(self) -> None:
        """Takes away what is left here of sessions that another machine has deleted."""


class FolderPictures:
    """The pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, session: str, data: bytes, name: str) -> tuple[str, Image]:
        case, image = seen(data, name)
        self.write(session, case, data)
        return case, image

    def find(self, session: str, case: str) -> Path:
        file = self.there(session, case)
        if file is None:
            raise missing(session, case)
        return file

    def delete(self, session: str) -> None:
        shutil.rmtree(self._folder / session, ignore_errors=True)

    def sweep(self) -> None:
        """Nobody else has this folder."""

    def there(self, session: str, case: str) -> Path | None:
        """The file of a picture, if it is here."""
        if not _CASE.fullmatch(case):
            return None
        files = (self._folder / session / f"{case}{suffix}" for suffix in _SUFFIXES.values())
        return next((file for file in files if file.is_file()), None)

    def write(self, session: str, case: str, data: bytes) -> Path:
        """Writes a picture down, whole or not at all."""
        folder = self._folder / session
        folder.mkdir(parents=True, exist_ok=True)
        part, file = folder / f"{secrets.token_hex(8)}.part", folder / f"{case}{_suffix(data)}"
        part.write_bytes(data)
        return part.replace(file)

    def sessions(self) -> list[str]:
        """Those with pictures here."""
        return [one.name for one in self._folder.glob("*") if one.is_dir()]


def seen(data: bytes, name: str) -> tuple[str, Image]:
    """The case id of a picture and what is to be said of it. Raises ``ImageError``."""
    width, height = open_image(data).size
    return Case.from_bytes(data).id, Image(name=shown_name(name), width=width, height=height)


def missing(session: str, case: str) -> SessionError:
    """That there is no such picture."""
    return SessionError(f"session {session} has no picture {case[:80]!r}: add it again")


def shown_name(name: str) -> str:
    """The last part of a name as it can be shown anywhere: printable, not too long, never empty."""
    last = re.split(r"[/\\]", name.strip())[-1]
    kept = "".join(sign for sign in last if sign.isprintable()).strip(" .")
    return kept[:NAME_LENGTH] or "image"


def _suffix(data: bytes) -> str:
    return next(suffix for magic, suffix in _SUFFIXES.items() if data.startswith(magic))
