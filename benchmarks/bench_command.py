"""How soon the command line answers."""

import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from benchmarks.figure import Figure

_RUNS = 7
_PATIENCE = 60.0


def cli_help_seconds(target: str = "<= 0.5") -> Iterator[Figure]:
    """Seconds until ``doubleread --help`` has ended, in a fresh process: the median, and the quickest of seven."""
    taken = sorted(_help() for _ in range(_RUNS))
    ends = {"low": taken[0], "high": taken[-1], "n": _RUNS}
    note = "low and high are the quickest and the slowest"
    yield Figure(name="cli_help_seconds.median", value=median(taken), target=target, note=note, **ends)
    yield Figure(name="cli_help_seconds.minimum", value=taken[0], n=_RUNS)


def _help() -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "doubleread", "--help"],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"doubleread --help ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return seconds
