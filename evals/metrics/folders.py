"""Folders of runs, read and measured."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from doubleread.core.batch import BatchComparison
from doubleread.evals.metrics.calculation import evaluate
from doubleread.evals.metrics.comparison import RunComparison, check_comparable, compare_runs
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.left_out import ROWS, reasons
from doubleread.evals.metrics.run_columns import read_columns
from doubleread.evals.metrics.subject_figures import subject_figures
from doubleread.evals.runs.batch_pictures import read_comparison
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import read_record, read_rows
from doubleread.evals.runs.run_record import RunRecord
from doubleread.evals.runs.subject_rows import read_subjects
from doubleread.panel.batch_comparison import FEWEST


def evaluate_folder(folder: Path, by: Sequence[str] = ()) -> Evaluation:
    """What the run in a folder comes to so far, by the columns ``by`` too; with a warning where it is not complete.

    Raises ``RunError`` where it holds no run, and ``DataError`` as ``evaluate`` and ``read_columns`` do.
    """
    record = read_record(folder)
    named: set[str] = set()
    columns = read_columns(_naming(read_rows(folder), named), record.task, record.trust, by)
    found = _with_rows(evaluate(columns, name=record.name, members=record.members, seed=record.seed), record)
    batch, drawn = read_comparison(folder), found.resampling
    subjects = subject_figures(read_subjects(folder), columns, draws=drawn.draws, seed=drawn.seed)
    told = (*found.warnings, *_told(batch), *((_UNPOOLED.format(len(named)),) if named and not subjects else ()))
    found = found.model_copy(update={"batch": batch, "subjects": subjects, "warnings": told})
    missing = record.cases - found.n - found.unread
    if missing <= 0:
        return found
    note = f"the run is not complete: {missing:,} of {record.cases:,} cases have no result yet"
    return found.model_copy(update={"warnings": (note, *found.warnings)})


_UNPOOLED = "the {:,} subjects have no verdict of their own: those are made when a run completes, not for joined shards"


def _naming(rows: Iterable[Row], subjects: set[str]) -> Iterator[Row]:
    """Yields the rows, and adds the subjects that their cases name."""
    for row in rows:
        if row.case.subject is not None:
            subjects.add(row.case.subject)
        yield row


def _with_rows(found: Evaluation, record: RunRecord) -> Evaluation:
    """Counts the rows that could not be used; of a shard it is not known which were its own."""
    rows = {ROWS: record.unusable} if record.unusable and record.shard is None else {}
    whole = found.model_copy(update={"left_out": found.left_out | rows})
    if not whole.too_many_left_out:
        return whole
    share = f"{whole.left_out_share:.1%}".replace("%", " %")
    told = f"{share} of the images are left out ({reasons(whole.left_out)}): the figures may not hold for them"
    return whole.model_copy(update={"warnings": (told, *whole.warnings)})


def _told(batch: BatchComparison | None) -> tuple[str, ...]:
    """One warning, where the pictures differ or that cannot be told."""
    if batch is None or batch.n < FEWEST:
        return ()
    return ("; ".join(batch.lines),) if batch.lines else ()


def compare_folders(first: Path, second: Path) -> RunComparison:
    """Two runs by their folders; raises ``RunError`` or ``DataError``, see ``compare_runs``."""
    before, after = read_record(first), read_record(second)
    check_comparable(before.task, after.task)
    columns = [read_columns(read_rows(folder), before.task, ()) for folder in (first, second)]
    return compare_runs(columns[0], columns[1], (str(first), str(second)), seed=before.seed)
