"""Ctrl-C while a run is going: once to finish what is in progress, twice to stop at once."""

import contextlib
import threading
from concurrent.futures import Future
from concurrent.futures import wait as wait_for

from doubleread.evals.runs.runner import End


def waited(going: Future[End], stop: threading.Event) -> End:
    """The end of the run, through one interruption; a second one cancels it."""
    try:
        return going.result()
    except KeyboardInterrupt:
        stop.set()
    try:
        return going.result()
    except KeyboardInterrupt:
        going.cancel()
        with contextlib.suppress(BaseException):
            wait_for([going], timeout=10)
        return "interrupted"
