"""What belongs to the process that opened it: threads, connections and locks do not outlive a fork."""

import os

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
