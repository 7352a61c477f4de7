"""The pictures of a run, as a batch, compared with the calibration images; stored beside the rows."""

from collections.abc import Iterator
from pathlib import Path

from doubleread.core.batch import BatchComparison
from doubleread.core.durable import write_file
from doubleread.core.errors import FileError
from doubleread.core.notices import already_said
from doubleread.core.safe_files import read_bytes
from doubleread.core.verdict import Verdict
from doubleread.evals.runs.run_folder import read_rows
from doubleread.panel import Panel

FILE = "batch.json"


def write_comparison(panel: Panel, folder: Path) -> None:
    """Compares the pictures of a run with the panel's calibration cases, and keeps what came of it."""
    with already_said():  # the evaluation of the run says it
        found = panel.compare_batch(_verdicts(folder))
    write_file(folder / FILE, (found.model_dump_json(indent=1) + "\n").encode())


def read_comparison(folder: Path) -> BatchComparison | None:
    """What came of it; None for a run that is not complete, was joined of shards, or where it cannot be read."""
    try:
        return BatchComparison.model_validate_json(read_bytes(folder / FILE))
    except (FileError, ValueError):
        return None


def _verdicts(folder: Path) -> Iterator[Verdict]:
    return (row.verdict for row in read_rows(folder) if row.verdict is not None)
