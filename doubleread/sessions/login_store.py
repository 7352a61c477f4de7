"""Logins of browsers, stored with the sessions, so that they survive restarts and are shared between machines."""

from datetime import UTC, datetime, timedelta

from doubleread.sessions._database import Database

IDLE, LIFE = timedelta(hours=12), timedelta(days=7)
"""Maximum time without a request, and maximum total time, before a login expires."""
TOUCHED, MOST = timedelta(minutes=5), 10_000
"""How often the use of a login is recorded, and how many are kept; the longest unused are dropped first."""


class LoginTable:
    """Logins by a hash that only the browser's key produces. Methods can be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, login: str) -> None:
        """Stores a login and deletes expired ones."""
        now = datetime.now(UTC)
        with self._database.writing() as db:
            db.execute("delete from logins where used < ? or began < ?", (_text(now - IDLE), _text(now - LIFE)))
            db.execute(
                "delete from logins where id in (select id from logins order by used desc limit 1000 offset ?)", (MOST,)
            )
            db.execute("insert into logins values (?, ?, ?)", (login, _text(now), _text(now)))

    def entered(self, login: str) -> bool:
        """Whether a login is valid."""
        now = datetime.now(UTC)
        with self._database.reading() as db:
            row = db.execute("select began, used from logins where id = ?", (login,)).fetchone()
        if row is None or row[0] < _text(now - LIFE) or row[1] < _text(now - IDLE):
            return False
        if row[1] < _text(now - TOUCHED):
            with self._database.writing() as db:
                db.execute("update logins set used = ? where id = ?", (_text(now), login))
        return True

    def leave(self, login: str) -> None:
        """Deletes a login."""
        with self._database.writing() as db:
            db.execute("delete from logins where id = ?", (login,))


def _text(when: datetime) -> str:
    """Formats a time so that texts sort by time."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
