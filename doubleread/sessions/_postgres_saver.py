"""Checkpoints in Postgres. Readings wait during an outage, and agents' answers are not lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import psycopg
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol

from doubleread.core.errors import SessionError, SessionsAway
from doubleread.core.postgres import connect_async, told

AWAY_S = 1.0
"""Seconds between attempts to reconnect."""
T = TypeVar("T")


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Creates or migrates the tables. Raises ``SessionError`` if they are of a newer version."""
    PostgresSaver(connection).setup()
    row = connection.execute("select max(v) from checkpoint_migrations").fetchone()
    known = len(PostgresSaver.MIGRATIONS) - 1
    if row is not None and row[0] > known:
        raise SessionError(
            f"the checkpoints in the database are of version {row[0]}, this installation knows up to {known}: "
            "pip install --upgrade langgraph-checkpoint-postgres"
        )


@asynccontextmanager
async def postgres_saver(address: str, serde: SerializerProtocol) -> AsyncIterator["Saver"]:
    """Opens a checkpointer on its own connection. Raises ``SessionsAway``."""
    saver = Saver(address, await connect_async(address), serde)
    try:
        yield saver
    finally:
        await saver.conn.close()


class Saver(AsyncPostgresSaver):
    """A checkpointer that repeats each call until the database is reachable; all calls are idempotent."""

    conn: psycopg.AsyncConnection[Any]

    def __init__(self, address: str, conn: psycopg.AsyncConnection[Any], serde: SerializerProtocol) -> None:
        super().__init__(conn, serde=serde)
        self._address, self._mending = address, asyncio.Lock()

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        return await self._patiently(super().aget_tuple, config)

    async def aput(
        self, config: Any, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> Any:
        return await self._patiently(super().aput, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await self._patiently(super().aput_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await self._patiently(super().adelete_thread, thread_id)

    async def _patiently(self, do: Callable[..., Awaitable[T]], *args: Any) -> T:
        while True:
            try:
                await self._mend()
                return await do(*args)
            except SessionsAway:
                await asyncio.sleep(AWAY_S)
            except psycopg.Error as error:
                if not self.conn.closed:
                    raise told(self._address, error, lost=False) from error

    async def _mend(self) -> None:
        async with self._mending:
            if self.conn.closed:
                with suppress(psycopg.Error):
                    await self.conn.close()
                self.conn = await connect_async(self._address)
