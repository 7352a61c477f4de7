"""Which browsers have entered: kept with the sessions, so that a restart or another machine knows them."""

from datetime import UTC, datetime, timedelta

from doubleread.sessions._database import Database

IDLE, LIFE = timedelta(hours=12), timedelta(days=7)
"""A login ends after this long without a request, and at the latest so long after it began."""
TOUCHED, MOST = timedelta(minutes=5), 10_000
"""How often it is written down that a login was used, and how many are kept; the longest unused go first."""


class LoginTable:
    """Logins by a hash that only the browser's key gives. Methods may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, login: str) -> None:
        """A browser has entered; logins that are over are taken away."""
        now = datetime.now(UTC)
        with self._database.writing() as db:
            db.execute("delete from logins where used < ? or began < ?", (_text(now - IDLE), _text(now - LIFE)))
            db.execute(
                "delete from logins where id in (select id from logins order by used desc limit 1000 offset ?)", (MOST,)
            )
            db.execute("insert into logins values (?, ?, ?)", (login, _text(now), _text(now)))

    def entered(self, login: str) -> bool:
        """Whether a browser is still in."""
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
        """A browser has left."""
        with self._database.writing() as db:
            db.execute("delete from logins where id = ?", (login,))


def _text(when: datetime) -> str:
    """Times that sort as text."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
