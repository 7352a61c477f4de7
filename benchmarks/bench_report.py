"""What a report of 2,000 cases costs to send and to open."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.browser import MISSING, Browser, chromium
from benchmarks.figure import Figure, Skipped
from benchmarks.synthetic_run import synthetic_run
from doubleread.evals.metrics.folders import evaluate_folder
from doubleread.evals.report import write_report

CASES, TIMES = 2000, 5
READY = "document.documentElement.dataset.ready"


def report() -> Iterator[Figure]:
    """Megabytes of the file, and milliseconds until its gallery can be used; raises ``Skipped``."""
    executable = chromium()
    if executable is None:
        raise Skipped(MISSING)
    with TemporaryDirectory(prefix="doubleread-bench-") as scratch:
        folder = synthetic_run(Path(scratch) / "run", CASES)
        found = evaluate_folder(folder, ("site",))
        began = time.perf_counter()
        file = write_report(folder, found)
        note = f"written in {time.perf_counter() - began:.0f} s"
        size = file.stat().st_size / 1e6
        yield Figure(name="report.megabytes", value=size, n=CASES, target="<= 15", note=note)
        times = [_opened(executable, file) for _ in range(TIMES)]
    note = f"median and range of {TIMES} fresh browsers"
    yield Figure.over("report.interactive_ms", times, "<= 2000", note, by=statistics.median, n=CASES)


def _opened(executable: str, file: Path) -> float:
    with Browser(executable) as browser:
        page = browser.page()
        page.open(file)
        page.until(READY)
        return float(page.run(READY))
