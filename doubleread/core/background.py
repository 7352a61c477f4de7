"""An event loop of our own in a thread, so that sync calls work inside a running loop (notebooks) too."""

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
    """Runs coroutines to their end for callers that cannot wait for them; its thread starts with the first call.

    The thread is a daemon: a program that forgets ``close`` ends all the same. ``farewell`` runs on the loop
    at its end, after everything else was cancelled.
    """

    def __init__(self, farewell: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self._farewell = farewell
        self._running: _Running | None = None
        self._home = OneProcess()
        self._guard = threading.Lock()

    def call(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the coroutine; where the caller is interrupted, the coroutine is cancelled."""
        future = self.submit(work, *args, **kwargs)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def submit(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begins the coroutine; the caller waits for it, or cancels it. Raises ``PanelError`` in a forked child."""
        loop = self._start().loop
        return asyncio.run_coroutine_threadsafe(work(*args, **kwargs), loop)

    async def run(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """``call`` for async code on any other event loop; a cancelled caller cancels the coroutine."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    def close(self) -> None:
        """Cancels what still runs and ends the thread; a second call does nothing, nor does one in a forked child."""
        if not self._home.here:
            return
        with self._guard:
            running, self._running = self._running, None
        if running is None:
            return
        running.loop.call_soon_threadsafe(running.stop.set)
        if running.thread is not threading.current_thread():  # where the garbage collector came by in the thread itself
            running.thread.join()

    def _start(self) -> _Running:
        self._home.check()  # a child has neither the thread nor, perhaps, the guard
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
