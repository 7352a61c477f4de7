"""What belongs to the process that opened it: threads, connections and locks do not outlive a fork."""

import os
import sys

from doubleread.core.errors import DoublereadError, PanelError


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
