"""Postgres through psycopg, for whoever names a database: connections, and why one cannot be had, in plain words.

Nothing secret passes through here: addresses hold no password, libpq reads it from the environment or its own file.
"""

import time
from contextlib import AsyncExitStack, ExitStack, closing
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from doubleread.core.errors import SessionError, SessionsAway

SCHEMA = "doubleread"
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "doubleread",
}
"""A machine that is gone is noticed within a minute, by either side."""
_SETUP = (
    f"set search_path to {SCHEMA}",
    "set client_min_messages to warning",
    "set idle_in_transaction_session_timeout to '30s'",
    "set tcp_keepalives_idle to 30",
    "set tcp_keepalives_interval to 10",
    "set tcp_keepalives_count to 3",
)
_ALONE = int.from_bytes(b"doublerd", "big")


def connect(address: str) -> psycopg.Connection[Any]:
    """A connection in which every statement is on its own unless ``begin`` is said. Raises ``SessionsAway``."""
    with ExitStack() as undo:
        try:
            connection = undo.enter_context(closing(psycopg.connect("", **_options(address), autocommit=True)))
            for statement in _SETUP:
                connection.execute(statement)
        except psycopg.Error as error:
            raise told(address, error, lost=True) from None
        undo.pop_all()
    return connection


def probe(address: str) -> str:
    """The server's name and version. Raises ``SessionsAway``."""
    with connect(address) as connection:
        return f"PostgreSQL {connection.info.parameter_status('server_version')}"


async def connect_async(address: str) -> psycopg.AsyncConnection[DictRow]:
    """The same for an event loop, its rows as dicts."""
    async with AsyncExitStack() as undo:
        try:
            connection = await psycopg.AsyncConnection.connect(
                "", **_options(address), autocommit=True, prepare_threshold=0, row_factory=dict_row
            )
            undo.push_async_callback(connection.close)
            for statement in _SETUP:
                await connection.execute(statement)
        except psycopg.Error as error:
            raise told(address, error, lost=True) from None
        undo.pop_all()
    return connection


def told(address: str, error: psycopg.Error, *, lost: bool) -> SessionError:
    """What went wrong, for people; ``lost`` where the connection is no more."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].removeprefix("connection failed: ")
    if lost:
        return SessionsAway(
            f"the database of the sessions, {address}, cannot be reached ({reason}). What was kept is not lost: try "
            "again when it is back, or check sessions.database and the password in PGPASSWORD or ~/.pgpass"
        )
    return SessionError(f"the database of the sessions, {address}, refused ({reason})")


def alone(connection: psycopg.Connection[Any]) -> None:
    """Waits until no other process changes the tables; the connection's end, or ``not_alone``, lets the next one in.

    It asks again and again: a session that waits inside a statement would hold up `create index concurrently`.
    """
    while connection.execute("select pg_try_advisory_lock(%s)", (_ALONE,)).fetchone() != (True,):
        time.sleep(0.05)


def not_alone(connection: psycopg.Connection[Any]) -> None:
    """Lets the next one in."""
    connection.execute("select pg_advisory_unlock(%s)", (_ALONE,))


def _options(address: str) -> dict[str, Any]:
    """What the address says goes before what is usual here."""
    return {**_PATIENCE, **conninfo_to_dict(address)}
