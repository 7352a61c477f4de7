"""Rows stored while the next cases are read: what comes in during one sync goes to disk with the next."""

import asyncio
from collections.abc import Callable

from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import RunFolder


class Storing:
    """Appends rows to a run in another thread; ``stored`` is told of each row once it is on disk."""

    def __init__(self, folder: RunFolder, stored: Callable[[Row], None]) -> None:
        self._folder, self._stored = folder, stored
        self._waiting: list[Row] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, row: Row) -> None:
        """Takes a row; raises the ``RunError`` of an earlier one that could not be stored."""
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        self._waiting.append(row)
        self._task = self._task or asyncio.create_task(self._store())

    async def close(self) -> None:
        """Returns when all rows are on disk; raises the ``RunError`` of one that is not."""
        if self._task is not None:
            await self._task

    async def _store(self) -> None:
        while self._waiting:
            rows, self._waiting = self._waiting, []
            await asyncio.to_thread(self._folder.append, *rows)
            for row in rows:
                self._stored(row)
