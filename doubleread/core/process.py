"""What there is once a process: its memory, its threads of linear algebra, and what does not outlive a fork."""

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
    """Leaves what is loaded now out of the search for garbage until the end of the block.

    Libraries, encoder and archive are some hundred thousand objects that stay; looking through them stops everything
    for half a second, again and again. Nothing happens where somebody has done so already.
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
    """Keeps BLAS to one thread, until the last of all who asked for that is done.

    What one case needs is too small to share out, and threads that wait for more take the cores from the encoder.
    """
    global _users, _limits  # noqa: PLW0603 - the number of threads is the process's
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
    """Remembers in which process something was opened; ``what`` names it in errors."""

    def __init__(self, what: str = "this panel", error: type[DoublereadError] = PanelError) -> None:
        self._process, self._what, self._error = os.getpid(), what, error

    @property
    def here(self) -> bool:
        """Whether this is that process."""
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
    """Whether this process is a fork of one that had imported a module."""
    return module in _inherited


def _remember() -> None:
    global _inherited  # noqa: PLW0603 - what was imported before the fork is the process's
    _inherited = frozenset(sys.modules)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember)
