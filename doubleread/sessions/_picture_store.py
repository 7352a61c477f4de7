"""Stores the pictures of sessions: as files by case id in a folder per session, or in the database."""

import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.durable import told, write_file
from doubleread.core.errors import FileError, SessionError, SessionsFull
from doubleread.rag.images.image_kinds import HEAD, SUFFIXES, suffix_of
from doubleread.rag.images.image_policy import ImagePolicy
from doubleread.rag.images.safe_images import open_picture
from doubleread.sessions._database import Database
from doubleread.sessions.record import Image

NAME_LENGTH = 120
_SEEN_SIDE = 2048
_CASE, _SESSION = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9A-Za-z_-]{1,64}")


class FolderPictures:
    """Pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.policy = ImagePolicy()
        """How the panel reads images: what it would refuse is not stored."""

    def keep(self, session: str, data: bytes, name: str) -> tuple[str, Image]:
        """Stores a picture atomically; returns its case id and its record.

        Raises ``ImageError`` for bytes that cannot be read as an image.
        """
        case, image = _seen(data, name, self.policy)
        self.write(session, case, data)
        return case, image

    def find(self, session: str, case: str) -> Path:
        """Returns the file of a picture. Raises ``SessionError`` if there is none."""
        file = self.there(session, case)
        if file is None:
            raise _missing(session, case)
        return file

    def delete(self, session: str) -> None:
        """Deletes every picture of a session."""
        shutil.rmtree(self._home(session), ignore_errors=True)

    def sizes(self) -> dict[str, int]:
        """Returns the bytes that each session's pictures use."""
        return {name: _bytes(self._folder / name) for name in self.sessions()}

    def sweep(self) -> None:
        """Deletes local copies of sessions that another machine deleted; does nothing for an unshared folder."""

    def there(self, session: str, case: str) -> Path | None:
        """Returns the file of a picture if it exists locally."""
        if not _CASE.fullmatch(case):
            return None
        home = self._home(session)
        return next((file for suffix in SUFFIXES if _is_ours(file := home / f"{case}{suffix}")), None)

    def write(self, session: str, case: str, data: bytes) -> Path:
        """Writes a picture to disk atomically and durably. Raises ``SessionsFull``."""
        folder = self._home(session)
        file = folder / f"{case}{suffix_of(data[:HEAD])}"
        try:
            with told(folder, "nothing was added"):
                folder.mkdir(parents=True, exist_ok=True)
            write_file(file, data)
        except FileError as error:
            raise SessionsFull(str(error)) from None
        return file

    def sessions(self) -> list[str]:
        """Returns the sessions with pictures here."""
        return [one.name for one in self._folder.glob("*") if _SESSION.fullmatch(one.name) and _is_folder(one)]

    def _home(self, session: str) -> Path:
        """Returns the folder of a session. Checks it: the database may hold any name, and the folder any link."""
        home = self._folder / session
        if not _SESSION.fullmatch(session) or home.is_symlink() or self._folder.is_symlink():
            raise SessionError(f"{home} is not a folder of sessions: restore it from a copy, or name another")
        return home


class DatabasePictures(FolderPictures):
    """Pictures in the database, with copies in a local folder for code that needs files.

    Whether a picture exists is always asked of the database, never inferred from a copy.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(folder)
        self._database = database

    def keep(self, session: str, data: bytes, name: str) -> tuple[str, Image]:
        case, image = _seen(data, name, self.policy)
        with self._database.writing() as db:
            db.execute("insert into pictures values (?, ?, ?) on conflict do nothing", (session, case, data))
        self.write(session, case, data)
        return case, image

    def find(self, session: str, case: str) -> Path:
        copy = self.there(session, case)
        wanted = "data" if copy is None else "null"
        with self._database.reading() as db:
            row = db.execute(f"select {wanted} from pictures where session = ? and id = ?", (session, case)).fetchone()  # noqa: S608 - fixed names
        if row is None:
            raise _missing(session, case)
        return copy or self.write(session, case, bytes(row[0]))

    def delete(self, session: str) -> None:
        with self._database.writing() as db:
            db.execute("delete from pictures where session = ?", (session,))
        super().delete(session)

    def sizes(self) -> dict[str, int]:
        with self._database.reading() as db:
            rows = db.execute("select session, sum(octet_length(data)) from pictures group by session").fetchall()
        return {session: int(size) for session, size in rows}

    def sweep(self) -> None:
        copied = self.sessions()
        with self._database.reading() as db:
            there = {session for (session,) in db.execute("select id from sessions").fetchall()}
        for session in copied:
            if session not in there:
                super().delete(session)


def _seen(data: bytes, name: str, policy: ImagePolicy) -> tuple[str, Image]:
    held = open_picture(data, policy=policy, max_side=_SEEN_SIDE).record
    return Case.from_bytes(data).id, Image(name=shown_name(name), width=held.width, height=held.height)


def _missing(session: str, case: str) -> SessionError:
    return SessionError(f"session {session} has no picture {case[:80]!r}: add it again")


def shown_name(name: str) -> str:
    """Returns the last part of a name, safe to display: printable, not too long, never empty."""
    last = re.split(r"[/\\]", name.strip())[-1]
    kept = "".join(sign for sign in last if sign.isprintable()).strip(" .")
    return kept[:NAME_LENGTH] or "image"


def _is_ours(file: Path) -> bool:
    """Whether it is a regular file and no link."""
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _bytes(folder: Path) -> int:
    with suppress(OSError), os.scandir(folder) as found:  # a session may be deleted in the meantime
        return sum(one.stat(follow_symlinks=False).st_size for one in found)
    return 0
