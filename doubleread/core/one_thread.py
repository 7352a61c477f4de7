"""Keeps linear algebra to one thread while many cases are read.

What one case needs is too small to share out, and threads that wait for more of it take the cores from the encoder.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_guard = threading.Lock()
_users = 0
_limits: threadpool_limits | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS in this process uses one thread until the last of all who asked for that is done."""
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
