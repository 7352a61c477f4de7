"""Cache of answers, keyed by the content of the question: a repeated question is neither sent nor paid for.

An SQLite file of JSON. It also stores the lessons about servers.
"""

import asyncio
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from doubleread.agents.wire.lessons import TABLE, Lessons
from doubleread.agents.wire.request import Completion
from doubleread.core.sqlite import connect, set_aside

_log = logging.getLogger(__name__)
_TABLES = f"""
pragma synchronous=normal;
create table if not exists answers (key text primary key, answer text not null, at real not null) without rowid;
{TABLE}
"""
Call = Callable[[], Coroutine[Any, Any, Completion]]


@dataclass(frozen=True)
class CallResult:
    """A completion; ``cached`` if nothing was sent for it."""

    completion: Completion
    cached: bool


@dataclass
class _Flight:
    """A call in progress, and how many callers wait for it."""

    task: "asyncio.Task[Completion]"
    waiting: int = field(default=0)


class AnswerCache:
    """Stores successful answers only. Thread-safe except for ``get_or_call``, which belongs to one event loop.

    With ``path`` None answers stay in memory. A damaged file is set aside and recreated; without a writable file
    answers stay in memory. Both log a warning.
    """

    def __init__(self, path: Path | None) -> None:
        self._flights: dict[str, _Flight] = {}
        self._guard = threading.Lock()
        self._db = _open(path)
        self.lessons = Lessons(self._ask)

    def get(self, key: str) -> Completion | None:
        """Returns the answer under a key, or None if there is none or it is unreadable."""
        rows = self._ask("select answer from answers where key = ?", key)
        try:
            return Completion.model_validate_json(rows[0][0]) if rows else None
        except ValidationError:
            return None  # written by another version

    def put(self, key: str, completion: Completion) -> None:
        """Stores an answer, if the cache can be written."""
        self._ask("insert or replace into answers values (?, ?, ?)", key, completion.model_dump_json(), time.time())

    async def get_or_call(self, key: str, call: Call) -> CallResult:
        """Returns the answer under a key, or that of ``call``, which concurrent equal questions share.

        A call is cancelled when nobody waits for it any more. Its exceptions reach all who wait.
        """
        if (kept := self.get(key)) is not None:
            return CallResult(kept, cached=True)
        flight, shared = self._flights.get(key), key in self._flights
        if flight is None:
            flight = self._begin(key, call)
        flight.waiting += 1
        try:
            return CallResult(await asyncio.shield(flight.task), cached=shared)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._leave(key, flight)  # at once: new callers must not join a call that is being cancelled
                flight.task.cancel()

    def close(self) -> None:
        with self._guard:
            self._db.close()

    def _begin(self, key: str, call: Call) -> _Flight:
        flight = self._flights[key] = _Flight(asyncio.ensure_future(self._call(key, call)))

        def ended(task: "asyncio.Task[Completion]") -> None:
            self._leave(key, flight)
            if not task.cancelled():
                task.exception()  # marks it as retrieved: nobody may be waiting

        flight.task.add_done_callback(ended)
        return flight

    async def _call(self, key: str, call: Call) -> Completion:
        completion = await call()
        self.put(key, completion)
        return completion

    def _leave(self, key: str, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _ask(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._guard:
                return self._db.execute(statement, values).fetchall()
        except sqlite3.Error:
            return []  # an unusable cache counts as empty


def _open(path: Path | None) -> sqlite3.Connection:
    memory = Path(":memory:")
    if path is None:
        return connect(memory, _TABLES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return connect(path, _TABLES)
    except (sqlite3.OperationalError, OSError) as error:
        _log.warning("answers are kept in memory only, %s cannot be used: %s", path, error)
        return connect(memory, _TABLES)
    except sqlite3.DatabaseError as error:
        _log.warning(
            "the answer cache %s is damaged (%s): moved to %s, and a new one was begun", path, error, set_aside(path)
        )
        return connect(path, _TABLES)


def key_of(**parts: Any) -> str:
    """Returns the cache key of a question: the sha256 of all its parts."""
    return sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
