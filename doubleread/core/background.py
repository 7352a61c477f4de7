"""An event loop in a thread of its own, so that sync calls also work inside a running loop (notebooks)."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ParamSpec, Self, TypeVar

from doubleread.core.process import OneProcess

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class _Running:
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    thread: threading.Thread


class Background:
    """Runs coroutines for sync callers; its thread starts with the first call.

    The thread is a daemon, so a program that forgets ``close`` still exits. ``farewell`` runs on the loop at its end,
    after all other tasks were cancelled.
    """

    def __init__(self, farewell: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self._farewell = farewell
        self._running: _Running | None = None
        self._home = OneProcess()
        self._guard = threading.Lock()

    def call(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns the result of the coroutine; if the caller is interrupted, the coroutine is cancelled."""
        future = self.submit(work, *args, **kwargs)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def submit(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Starts the coroutine and returns its future. Raises ``PanelError`` in a forked child."""
        loop = self._start().loop
        return asyncio.run_coroutine_threadsafe(work(*args, **kwargs), loop)

    async def run(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like ``call``, from async code on any other event loop; cancelling the caller cancels the coroutine."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    def close(self) -> None:
        """Cancels running work and ends the thread; does nothing if closed already, or in a forked child."""
        if not self._home.here:
            return
        with self._guard:
            running, self._running = self._running, None
        if running is None:
            return
        running.loop.call_soon_threadsafe(running.stop.set)
        if running.thread is not threading.current_thread():  # the garbage collector may call this in the thread
            running.thread.join()

    def _start(self) -> _Running:
        self._home.check()  # a forked child lacks the thread, and the guard may be held there forever
        with self._guard:
            if self._running is None:
                ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
                serving = _serve(ready, self._farewell)
                thread = threading.Thread(target=asyncio.run, args=(serving,), name="doubleread", daemon=True)
                thread.start()
                self._running = _Running(*ready.result(), thread)
            return self._running

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _serve(
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]],
    farewell: Callable[[], Coroutine[Any, Any, None]] | None,
) -> None:
    stop = asyncio.Event()
    ready.set_result((asyncio.get_running_loop(), stop))
    await stop.wait()
    if farewell is None:
        return
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await farewell()
