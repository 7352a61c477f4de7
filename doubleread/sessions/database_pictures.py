"""The pictures of sessions in the database, with copies in a folder of this machine for those who need files."""

from pathlib import Path

from doubleread.sessions.database import Database
from doubleread.sessions.picture_store import FolderPictures, missing, seen
from doubleread.sessions.record import Image


class DatabasePictures:
    """A copy is never trusted to say that a picture is still there: the database is asked."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._copies = database, FolderPictures(folder)

    def keep(self, session: str, data: bytes, name: str) -> tuple[str, Image]:
        case, image = seen(data, name)
        with self._database.writing() as db:
            db.execute("insert into pictures values (?, ?, ?) on conflict do nothing", (session, case, data))
        self._copies.write(session, case, data)
        return case, image

    def find(self, session: str, case: str) -> Path:
        copy = self._copies.there(session, case)
        wanted = "data" if copy is None else "null"
        with self._database.reading() as db:
            row = db.execute(f"select {wanted} from pictures where session = ? and id = ?", (session, case)).fetchone()  # noqa: S608 - words of our own
        if row is None:
            raise missing(session, case)
        return copy or self._copies.write(session, case, bytes(row[0]))

    def delete(self, session: str) -> None:
        with self._database.writing() as db:
            db.execute("delete from pictures where session = ?", (session,))
        self._copies.delete(session)

    def sizes(self) -> dict[str, int]:
        with self._database.reading() as db:
            rows = db.execute("select session, sum(octet_length(data)) from pictures group by session").fetchall()
        return {session: int(size) for session, size in rows}

    def sweep(self) -> None:
        copied = self._copies.sessions()
        with self._database.reading() as db:
            there = {session for (session,) in db.execute("select id from sessions").fetchall()}
        for session in copied:
            if session not in there:
                self._copies.delete(session)
