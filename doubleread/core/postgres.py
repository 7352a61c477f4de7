"""Postgres connections through psycopg, with readable errors.

No secrets are handled here: addresses hold no password; libpq reads it from the environment or its own file.
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
"""Either side notices a lost machine within a minute."""
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
    """Opens a connection in autocommit mode. Raises ``SessionsAway``."""
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
    """Returns the server's name and version. Raises ``SessionsAway``."""
    with connect(address) as connection:
        return f"PostgreSQL {connection.info.parameter_status('server_version')}"


async def connect_async(address: str) -> psycopg.AsyncConnection[DictRow]:
    """Like ``connect`` for an event loop; rows are dicts."""
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
    """Returns an error for users; ``lost`` if the connection is gone."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].removeprefix("connection failed: ")
    if lost:
        return SessionsAway(
            f"the database of the sessions, {address}, cannot be reached ({reason}). What was kept is not lost: try "
            "again when it is back, or check sessions.database and the password in PGPASSWORD or ~/.pgpass"
        )
    return SessionError(f"the database of the sessions, {address}, refused ({reason})")


def alone(connection: psycopg.Connection[Any]) -> None:
    """Waits for an exclusive lock on changing the tables, released by ``not_alone`` or the end of the connection.

    It polls: a session that waits inside a statement would block `create index concurrently`.
    """
    while connection.execute("select pg_try_advisory_lock(%s)", (_ALONE,)).fetchone() != (True,):
        time.sleep(0.05)


def not_alone(connection: psycopg.Connection[Any]) -> None:
    """Releases the lock of ``alone``."""
    connection.execute("select pg_advisory_unlock(%s)", (_ALONE,))


def _options(address: str) -> dict[str, Any]:
    """Merges the default options with those of the address, which take precedence."""
    return {**_PATIENCE, **conninfo_to_dict(address)}
