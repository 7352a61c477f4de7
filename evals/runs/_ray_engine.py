"""A run spread over the workers of a Ray cluster. The only module that imports Ray.

Each worker is a process with a panel of its own, and reads as many cases at a time as a run on one machine. A worker
that dies is replaced, and the cases it was reading are suspects: each is read again, alone, so that the one that kills
workers is told from those that were beside it.
"""

import asyncio
import math
import os
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from doubleread.core.errors import RunError
from doubleread.core.verdict import Unread
from doubleread.evals.runs._ray_share import left_of, share
from doubleread.evals.runs.ray_worker import ReaderReply, RunReader, facts
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_engine import CaseResult, NumberedCase
from doubleread.panel import Panel
from doubleread.settings import Settings
from doubleread.settings_sections import RaySettings

LIVES = 3
"""Workers that one case may take with it before it is given up, and that may die in a row while they load the panel."""
_STORE_BYTES = 100_000_000
"""Of Ray's shared memory here: cases and rows are too small to go through it."""
_FAREWELL_S = 5.0


class RayEngine:
    """Workers that each load the panel from its folder; ``run.in_flight`` cases at a time each.

    What may be spent, and how fast models may be asked, is divided among them. Raises ``RunError`` where Ray is not
    installed, and, once cases are asked for, where the cluster cannot be used or a worker cannot load the panel.
    """

    def __init__(self, panel: Panel, reader: type[RunReader] = RunReader) -> None:
        self._ray, self._panel, self._reader = _ray(), panel, reader
        if panel.settings.run.record:
            raise RunError("answers cannot be recorded with several workers: unset run.record, or use the engine local")

    async def answers(self, cases: Iterable[NumberedCase]) -> AsyncGenerator[CaseResult, None]:
        """As ``Engine``."""
        waiting = iter(cases)
        for first in waiting:  # none: then nothing is started
            with _cluster(self._ray, self._panel.settings.ray):
                crew = _Crew(self._ray, self._panel, self._reader, chain([first], waiting))
                async with aclosing(crew.answers()) as answers:
                    async for answer in answers:
                        yield answer


@dataclass(eq=False)
class _Worker:
    """A process that reads cases, once it has loaded the panel."""

    handle: Any
    settings: Settings
    forerunners: int = 0
    """How many died in its place in a row while they loaded the panel."""
    ready: bool = False
    alone: bool = False
    """Whether it reads a suspect."""
    reading: int = 0
    cost_usd: float = 0.0
    calls: int = 0


class _Crew:
    """The workers of a run, and who reads what."""

    def __init__(self, ray: Any, panel: Panel, reader: type[RunReader], waiting: Iterator[NumberedCase]) -> None:
        self._ray, self._waiting, self._settings = ray, waiting, panel.settings
        self._folder, self._facts = str(panel.folder.absolute()), facts(panel)
        self._actor = ray.remote(reader).options(
            num_cpus=panel.settings.ray.cpus,
            num_gpus=panel.settings.ray.gpus,
            max_concurrency=panel.settings.run.in_flight + 1,  # so that close need not wait
            scheduling_strategy="SPREAD",
        )
        self._workers: list[_Worker] = []
        self._tasks: set[asyncio.Task[CaseResult | None]] = set()
        self._suspects: deque[NumberedCase] = deque()
        self._deaths: Counter[int] = Counter()
        """Of workers, by the place of a case that they were reading."""
        self._unanswered = 0
        """Cases that were taken and have no answer yet."""
        self._last = False
        """Whether all cases were taken."""

    async def answers(self) -> AsyncGenerator[CaseResult, None]:
        """Until the cases are out and answered; then, or where the consumer ends early, the workers are ended."""
        many = self._settings.ray.workers
        try:
            self._workers = [self._hire(share(self._settings, many)) for _ in range(many)]
            while True:
                self._hand_out()
                if self._last and not self._unanswered:
                    return
                landed, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                self._tasks -= landed
                for task in landed:
                    if answer := task.result():
                        self._unanswered -= 1
                        yield answer
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._dismiss()

    def _hire(self, settings: Settings, forerunners: int = 0) -> _Worker:
        worker = _Worker(self._actor.remote(), settings, forerunners)
        self._tasks.add(asyncio.create_task(self._open(worker)))
        return worker

    async def _dismiss(self) -> None:
        """Ends the workers, once those that loaded the panel have let go of it."""
        closing = [asyncio.wrap_future(one.handle.close.remote().future()) for one in self._workers if one.ready]
        if closing:
            await asyncio.wait(closing, timeout=_FAREWELL_S)
        for worker in self._workers:
            self._ray.kill(worker.handle)

    async def _open(self, worker: _Worker) -> None:
        told = worker.settings.model_dump(mode="json")
        try:
            problem = await _of(worker.handle.open.remote(self._folder, told, self._facts))
        except self._ray.exceptions.RayActorError as error:
            if worker.forerunners + 1 == LIVES:
                *_, last = str(error).strip().splitlines()
                raise RunError(
                    f"{LIVES} workers in a row died before they had loaded the panel ({last.strip()}): install "
                    "doubleread on the machines where they run, and give each worker enough memory"
                ) from None
            self._replace(worker)
            return
        if problem:
            raise RunError(problem)
        worker.ready = True

    def _hand_out(self) -> None:
        """Cases to workers that have room; suspects first, each to a worker that reads nothing else."""
        while worker := min(filter(self._has_room, self._workers), key=lambda one: one.reading, default=None):
            case = self._suspects.popleft() if self._suspects else self._next()
            if case is None:
                return
            worker.alone = case.place in self._deaths
            worker.reading += 1
            self._tasks.add(asyncio.create_task(self._read(worker, case)))

    def _next(self) -> NumberedCase | None:
        case = next(self._waiting, None)
        self._last = case is None
        self._unanswered += case is not None
        return case

    def _has_room(self, worker: _Worker) -> bool:
        most = 1 if self._suspects else self._settings.run.in_flight
        return worker.ready and not worker.alone and worker.reading < most

    async def _read(self, worker: _Worker, case: NumberedCase) -> CaseResult | None:
        try:
            reply = ReaderReply(*await _of(worker.handle.read.remote(case.place, case.case.model_dump_json())))
        except self._ray.exceptions.RayActorError:
            if worker in self._workers:
                self._replace(worker)
            return self._suspected(case)
        worker.reading, worker.alone = worker.reading - 1, False
        worker.cost_usd, worker.calls = max(worker.cost_usd, reply.cost_usd), max(worker.calls, reply.calls)
        row = Row.of_line(reply.line)
        result = row.verdict or row.unread
        assert result is not None
        return CaseResult(case, result)

    def _replace(self, worker: _Worker) -> None:
        """Another worker in the place of one that died, with what is known to be left of its share."""
        self._ray.kill(worker.handle)  # one that is out of reach may come back
        settings = left_of(worker.settings, worker.cost_usd, worker.calls)
        forerunners = 0 if worker.ready else worker.forerunners + 1
        self._workers[self._workers.index(worker)] = self._hire(settings, forerunners)

    def _suspected(self, case: NumberedCase) -> CaseResult | None:
        self._deaths[case.place] += 1
        if self._deaths[case.place] < LIVES:
            self._suspects.append(case)
            return None
        problem = f"{LIVES} workers died while they read it, the last one while it read nothing else"
        return CaseResult(case, Unread(source=case.case.source, code="failure", problem=problem))


async def _of(reply: Any) -> Any:
    """What a worker replies. Where nobody waits any longer it comes all the same: Ray's client takes no cancelling."""
    return await asyncio.shield(asyncio.wrap_future(reply.future()))


def _ray() -> Any:
    # Read as Ray is imported: what it says of dead workers would land between our lines, on standard output.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray  # noqa: PLC0415 - an optional extra, and slow
        import ray.exceptions  # noqa: PLC0415
    except ImportError:
        raise RunError(
            "the engine ray needs Ray, which is not installed: pip install ray, or use the engine local"
        ) from None
    return ray


@contextmanager
def _cluster(ray: Any, wanted: RaySettings) -> Iterator[None]:
    """The cluster that this process is connected to, the one of the settings, or one that is started here.

    Processes of a cluster that is started here end with the thread that started it.
    """
    if ray.is_initialized():
        _check_room(ray, wanted)
        yield
        return
    here = {"address": "local", "num_cpus": math.ceil(wanted.workers * wanted.cpus), "include_dashboard": False}
    there = {"address": wanted.address}
    where = there if wanted.address else {**here, "object_store_memory": _STORE_BYTES}
    try:
        ray.init(**where, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        if not wanted.address:
            raise RunError(f"Ray cannot be started here: {error}") from None
        raise RunError(
            f"the Ray cluster {wanted.address} cannot be used: {error}; check ray.address and that `ray status` "
            "answers there; if it asks for a token, set RAY_AUTH_MODE=token"
        ) from None
    try:
        _check_room(ray, wanted)
        yield
    finally:
        ray.shutdown()


def _check_room(ray: Any, wanted: RaySettings) -> None:
    there = ray.cluster_resources()
    for kind, each in (("CPU", wanted.cpus), ("GPU", wanted.gpus)):
        needed, has = wanted.workers * each, there.get(kind, 0)
        if needed > has:
            raise RunError(
                f"{wanted.workers} workers need {needed:g} {kind}s and the Ray cluster has {has:g}: "
                f"lower ray.workers or ray.{kind.lower()}s, or add machines"
            )
