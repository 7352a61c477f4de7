"""State of the whole process: garbage collection, BLAS threads, and objects that do not survive a fork."""

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from doubleread.core.errors import DoublereadError, PanelError


@contextmanager
def at_rest() -> Iterator[None]:
    """Excludes currently loaded objects from garbage collection until the end of the block.

    Libraries, encoder and archive are some hundred thousand permanent objects; scanning them repeatedly stops
    everything for half a second. Does nothing if objects are already excluded.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


_guard = threading.Lock()
_users = 0
_limits: threadpool_limits | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits BLAS to one thread until the last concurrent user is done.

    The work for one case is too small to share, and waiting threads take cores from the encoder.
    """
    global _users, _limits  # noqa: PLW0603 - the number of threads belongs to the process
    with _guard:
        if _users == 0:
            _limits = threadpool_limits(1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _guard:
            _users -= 1
            if _users == 0 and _limits is not None:
                _limits.restore_original_limits()


class OneProcess:
    """Remembers the process in which something was opened; ``what`` names it in errors."""

    def __init__(self, what: str = "this panel", error: type[DoublereadError] = PanelError) -> None:
        self._process, self._what, self._error = os.getpid(), what, error

    @property
    def here(self) -> bool:
        """Whether the current process is that process."""
        return self._process == os.getpid()

    def check(self) -> None:
        """Raises the error in a forked child."""
        if not self.here:
            raise self._error(
                f"{self._what} was loaded in another process ({self._process}), and a forked process cannot use it: "
                "load it in each process, after the fork"
            )


_inherited: frozenset[str] = frozenset()


def forked_with(module: str) -> bool:
    """Whether this process was forked from one that had imported a module."""
    return module in _inherited


def _remember() -> None:
    global _inherited  # noqa: PLW0603 - modules imported before the fork belong to the process
    _inherited = frozenset(sys.modules)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember)
