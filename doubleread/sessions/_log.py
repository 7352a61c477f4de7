"""The event log of all sessions, and the progress of their readings.

Every method is short, callable from any thread, and leaves the database consistent if the process ends.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, TypeVar

from doubleread.core.base import Record
from doubleread.core.errors import FileError, SessionError
from doubleread.core.safe_files import parse_json
from doubleread.sessions._database import Database, Statements
from doubleread.sessions.record import Event, How, Image, Kind, SessionInfo, Undone, Waiting

Progress = Literal["running", "waiting", "ended"]
R = TypeVar("R")
T = TypeVar("T")

_INFO = """
select id, title, created, changed,
    (select count(*) from events where session = sessions.id and kind = 'image'),
    (select count(distinct about) from readings where session = sessions.id and progress = 'waiting')
from sessions"""
_EVENT = "select session, seq, time, kind, about, reading, data from events"
_INSERT_EVENT = (
    "insert into events select ?, coalesce(max(seq), 0) + 1, ?, ?, ?, ?, ?, ? "
    "from events where session = ? on conflict do nothing"
)


@dataclass(frozen=True)
class Started:
    """A reading of an image, and its progress."""

    id: str
    session: str
    case: str
    how: How
    progress: Progress


class Log:
    """All methods raise ``SessionError`` for an unknown session, and the database's own errors."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checked: set[tuple[str, int]] = set()

    @property
    def version(self) -> object:
        """Changes whenever another process has written."""
        return self._database.version

    def belong(self, panel: str) -> None:
        """Reserves the storage for panels of this kind. Raises ``SessionError`` if it belongs to another kind."""
        with self._database.writing() as db:
            db.execute(
                "insert into belongs select ? where not exists (select * from belongs) on conflict do nothing", (panel,)
            )
            (owner,) = db.execute("select panel from belongs").fetchone()
        if owner != panel:
            raise SessionError(
                f"these sessions belong to a panel of another kind: {owner}; this panel's is {panel}. "
                "Load the panel they were made with, or name another place for sessions"
            )

    # -- sessions -----------------------------------------------------------------------------------------------

    def create(self, title: str) -> SessionInfo:
        """Creates a session without events."""
        session, now = secrets.token_hex(8), _now()
        with self._database.writing() as db:
            db.execute("insert into sessions values (?, ?, ?, ?)", (session, _text(title), now, now))
        return self.info(session)

    def info(self, session: str) -> SessionInfo:
        """Returns a session."""
        with self._database.reading() as db:
            row = db.execute(f"{_INFO} where id = ?", (session,)).fetchone()
        if row is None:
            raise _gone(session)
        return _sound(_info, row)

    def listed(self) -> list[SessionInfo]:
        """Returns all sessions, the last changed first."""
        with self._database.reading() as db:
            rows = db.execute(f"{_INFO} order by changed desc, id").fetchall()
        return [_sound(_info, row) for row in rows]

    def rename(self, session: str, title: str) -> SessionInfo:
        """Changes the title of a session."""
        with self._database.writing() as db:
            db.execute("update sessions set title = ?, changed = ? where id = ?", (_text(title), _now(), session))
        return self.info(session)

    def delete(self, session: str) -> None:
        """Deletes a session with its events and readings."""
        with self._database.writing() as db:
            for table, column in (
                ("sessions", "id"), ("events", "session"), ("readings", "session"), ("people", "session")
            ):  # fmt: skip
                db.execute(f"delete from {table} where {column} = ?", (session,))  # noqa: S608 - fixed names

    def own(self, session: str, person: str) -> None:
        """Assigns a session to a person, unless it has an owner."""
        with self._database.writing() as db:
            db.execute("insert into people values (?, ?) on conflict do nothing", (session, person))

    def people(self) -> dict[str, str]:
        """Returns the owner of each session that has one."""
        with self._database.reading() as db:
            return dict(db.execute("select session, person from people").fetchall())

    # -- events -------------------------------------------------------------------------------------------------

    def add(
        self,
        session: str,
        kind: Kind,
        data: Record,
        *,
        case: str | None = None,
        reading: str | None = None,
        key: str | None = None,
        progress: Mapping[str, Progress] | None = None,
    ) -> Event | None:
        """Adds an event with the session's next number; returns None if its ``key`` exists already.

        ``progress`` (by reading) is updated in the same transaction.
        """
        now = _now()
        with self._database.writing() as db:
            _touch(db, session, now)
            for one, far in (progress or {}).items():
                db.execute("update readings set progress = ? where id = ?", (far, one))
            event = (session, now, kind, case, reading, key, data.model_dump_json(), session)
            added = db.execute(f"{_INSERT_EVENT} returning seq", event).fetchone()
        return None if added is None else self.event(session, added[0])

    def event(self, session: str, seq: int) -> Event:
        """Returns an event."""
        with self._database.reading() as db:
            row = db.execute(f"{_EVENT} where session = ? and seq = ?", (session, seq)).fetchone()
        if row is None:
            raise _gone(session)
        return _sound(self._event, row)

    def events(self, session: str, after: int = 0) -> list[Event]:
        """Returns the events after number ``after``, in order."""
        with self._database.reading() as db:
            if db.execute("select 1 from sessions where id = ?", (session,)).fetchone() is None:
                raise _gone(session)
            rows = db.execute(f"{_EVENT} where session = ? and seq > ? order by seq", (session, after)).fetchall()
        return [_sound(self._event, row) for row in rows]

    # -- readings -----------------------------------------------------------------------------------------------

    def join(self, session: str, case: str, image: Image, how: How, owner: str) -> Started:
        """Adds a picture and starts a reading of it in one transaction."""
        now = _now()
        with self._database.writing() as db:
            _touch(db, session, now)
            event = (session, now, "image", case, None, f"image/{case}", image.model_dump_json(), session)
            db.execute(_INSERT_EVENT, event)
            return _begun(db, session, case, how, owner)

    def begin(self, session: str, case: str, how: How, owner: str) -> Started:
        """Starts a reading."""
        with self._database.writing() as db:
            return _begun(db, session, case, how, owner)

    def reading(self, session: str, reading: str) -> Started:
        """Returns a reading of the session. Raises ``SessionError`` for an unknown one."""
        found = [one for one in self.readings(session) if one.id == reading]
        if not found:
            raise SessionError(f"session {session} has no reading {reading!r}")
        return found[0]

    def readings(self, session: str) -> list[Started]:
        """Returns all readings of a session, in the order they were started."""
        with self._database.reading() as db:
            rows = db.execute(f"{_STARTED} where session = ? order by rowid", (session,)).fetchall()
        return [_sound(_started, row) for row in rows]

    def take_over(self, before: str, owner: str) -> list[Started]:
        """Moves the running readings of a process that has ended to ``owner`` and returns them."""
        with self._database.writing() as db:
            rows = db.execute(
                "update readings set owner = ? where owner = ? and progress = 'running' "
                "returning id, session, about, how, progress",
                (owner, before),
            ).fetchall()
        return [_sound(_started, row) for row in rows]

    def owners(self) -> set[str]:
        """Returns the owners of running readings."""
        with self._database.reading() as db:
            rows = db.execute("select distinct owner from readings where progress = 'running'").fetchall()
        return {owner for (owner,) in rows}

    def waiting(self) -> list[Waiting]:
        """Returns readings that wait for a person, over all sessions, oldest first; only the last one of an image."""
        with self._database.reading() as db:
            rows = db.execute(
                "select data from events join readings on readings.id = events.reading "
                "where kind = 'waiting' and readings.rowid in "
                "(select max(rowid) from readings where progress = 'waiting' group by session, about) order by time"
            ).fetchall()
        return [_sound(Waiting.model_validate_json, data) for (data,) in rows]

    def decisions(self, n: int) -> list[Event]:
        """Returns the last ``n`` decisions that were not undone, over all sessions, latest first."""
        with self._database.reading() as db:
            taken_back = db.execute("select session, data from events where kind = 'undone'").fetchall()
            undone = {(session, _sound(Undone.model_validate_json, data).seq) for session, data in taken_back}
            rows = db.execute(
                f"{_EVENT} where kind = 'decided' order by time desc limit ?", (n + len(undone),)
            ).fetchall()
        decided = (_sound(self._event, row) for row in rows)
        return list(islice((event for event in decided if (event.session, event.seq) not in undone), n))

    def _event(self, row: tuple[str, int, str, Kind, str | None, str | None, str]) -> Event:
        session, seq, time, kind, case, reading, data = row
        found = parse_json(data, f"event {seq}")
        event = Event(session=session, seq=seq, time=_time(time), kind=kind, case=case, reading=reading, data=found)
        if (session, seq) not in self._checked:
            _ = event.what
            if len(self._checked) >= _CHECKED:
                self._checked.clear()
            self._checked.add((session, seq))
        return event


_CHECKED = 100_000
"""Maximum number of events remembered as valid; each event is checked when first read."""
_STARTED = "select id, session, about, how, progress from readings"


def _touch(db: Statements, session: str, now: str) -> None:
    """Updates the time of change. Raises ``SessionError`` if there is no such session."""
    if not db.execute("update sessions set changed = ? where id = ?", (now, session)).rowcount:
        raise _gone(session)


def _begun(db: Statements, session: str, case: str, how: How, owner: str) -> Started:
    begun = Started(secrets.token_hex(8), session, case, how, "running")
    row = (begun.id, session, case, how.model_dump_json(), owner, begun.progress)
    db.execute("insert into readings values (?, ?, ?, ?, ?, ?)", row)
    return begun


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _text(title: str) -> str:
    """Removes NUL characters, which databases take for the end of a text."""
    return title.replace("\0", "")


def _gone(session: str) -> SessionError:
    return SessionError(f"there is no session {session!r}: it was deleted, or the name is wrong")


def _info(row: tuple[str, str, str, str, int, int]) -> SessionInfo:
    id_, title, created, changed, images, waiting = row
    return SessionInfo(
        id=id_, title=title, created=_time(created), changed=_time(changed), images=images, waiting=waiting
    )


def _started(row: tuple[str, str, str, str, Progress]) -> Started:
    id_, session, case, how, progress = row
    return Started(id_, session, case, How.model_validate_json(how), progress)


def _sound(made: Callable[[R], T], row: R) -> T:
    """Parses a row. Raises ``SessionError`` if it is damaged or written by something else."""
    try:
        return made(row)
    except (ValueError, TypeError, KeyError, AttributeError, FileError) as error:
        problem = " ".join(str(error).split())[:200]
        raise SessionError(
            f"these sessions are damaged ({problem}): restore their folder from a copy, or name another"
        ) from None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
