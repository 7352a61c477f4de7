"""The pictures of sessions: files by case id, one folder a session, whatever their name was."""

import re
import secrets
import shutil
from pathlib import Path

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


class Pictures:
    """The pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, session: str, data: bytes, name: str) -> tuple[str, Image]:
        """Writes a picture down, whole or not at all; returns its case id and what is to be said of it.

        Raises ``ImageError`` for bytes that cannot be read as an image.
        """
        width, height = open_image(data).size
        case = Case.from_bytes(data)
        folder = self._folder / session
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{secrets.token_hex(8)}.part"
        part.write_bytes(data)
        part.replace(folder / f"{case.id}{_suffix(data)}")
        return case.id, Image(name=shown_name(name), width=width, height=height)

    def find(self, session: str, case: str) -> Path:
        """The file of a picture; raises ``SessionError`` where there is none."""
        if _CASE.fullmatch(case):
            for suffix in _SUFFIXES.values():
                file = self._folder / session / f"{case}{suffix}"
                if file.is_file():
                    return file
        raise SessionError(f"session {session} has no picture {case[:80]!r}: add it again")

    def delete(self, session: str) -> None:
        """Takes away every picture of a session."""
        shutil.rmtree(self._folder / session, ignore_errors=True)


def shown_name(name: str) -> str:
    """The last part of a name as it can be shown anywhere: printable, not too long, never empty."""
    last = re.split(r"[/\\]", name.strip())[-1]
    kept = "".join(sign for sign in last if sign.isprintable()).strip(" .")
    return kept[:NAME_LENGTH] or "image"


def _suffix(data: bytes) -> str:
    return next(suffix for magic, suffix in _SUFFIXES.items() if data.startswith(magic))
