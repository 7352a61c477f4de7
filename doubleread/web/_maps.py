"""A queue of attribution maps: computed one at a time, shared by all requests, cancelled if nobody waits."""

import asyncio
from dataclasses import dataclass
from time import monotonic

from starlette.exceptions import HTTPException

from doubleread.core.attribution import Attribution
from doubleread.sessions.engine import Sessions
from doubleread.web.limits import WebLimits

Key = tuple[str, str, str | None, str]


@dataclass(eq=False)
class _MapJob:
    work: asyncio.Task[Attribution]
    asked: float


class MapQueue:
    """The queue of maps. For one event loop."""

    def __init__(self, sessions: Sessions, limits: WebLimits) -> None:
        self._sessions, self._limits = sessions, limits
        self._jobs: dict[Key, _MapJob] = {}
        self._turn = asyncio.Lock()

    async def get(self, session: str, case: str, label: str | None, reading: str = "") -> Attribution | int:
        """Returns the map, or the number of maps before it if it is not ready soon: ask again.

        ``reading`` is part of the key, since another reading may give another map. Raises ``HTTPException`` (429) if
        too many maps are waiting, and the errors of the computation.
        """
        key = (session, case, label, reading)
        job = self._jobs.get(key) or self._begin(key)
        job.asked = monotonic()
        await asyncio.wait({job.work}, timeout=self._limits.map_answer_s)
        job.asked = monotonic()
        if not job.work.done():
            return self._before(key)
        if job.work.cancelled() or job.work.exception() is not None:
            self._jobs.pop(key, None)
        return job.work.result()

    def _begin(self, key: Key) -> _MapJob:
        if sum(not job.work.done() for job in self._jobs.values()) > self._limits.maps_waiting:
            raise HTTPException(429, "Many maps are waiting to be worked out already: try again in a minute.")
        job = self._jobs[key] = _MapJob(asyncio.create_task(self._work(key)), monotonic())
        asyncio.get_running_loop().call_later(self._limits.map_left_s, self._look, key, job)
        return job

    async def _work(self, key: Key) -> Attribution:
        async with self._turn:
            return await self._sessions.where(*key[:3])

    def _look(self, key: Key, job: _MapJob) -> None:
        """Cancels a map that nobody waits for any more."""
        if self._jobs.get(key) is not job:
            return
        left = job.asked + self._limits.map_left_s - monotonic()
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._look, key, job)
            return
        del self._jobs[key]
        job.work.cancel()
        if job.work.done() and not job.work.cancelled():
            job.work.exception()  # retrieved so that asyncio does not report it

    def _before(self, key: Key) -> int:
        running = [one for one, job in self._jobs.items() if not job.work.done()]
        return running.index(key)
