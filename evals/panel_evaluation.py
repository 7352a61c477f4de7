"""What a run comes to, written beside its rows: for people, for machines, and for a pull request."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from doubleread.core.durable import write_text
from doubleread.evals.datasets import Labelled, read_labelled
from doubleread.evals.metrics.case_tables import CaseTable
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.folders import evaluate_folder
from doubleread.evals.metrics.gates import Gate, GateResult, check
from doubleread.evals.metrics.markdown_report import markdown
from doubleread.evals.report.report_page import write_report
from doubleread.evals.runs.evaluate import Wanted, evaluate
from doubleread.evals.runs.run_folder import read_record, read_rows
from doubleread.evals.runs.runner import Watch
from doubleread.panel import Panel

EVALUATION, SUMMARY, TABLE = "evaluation.json", "summary.md", "cases"


@dataclass(frozen=True)
class JudgedRun:
    """The figures of a run, and what was asked of them."""

    folder: Path
    evaluation: Evaluation
    gates: tuple[GateResult, ...]
    report: Path

    @property
    def passed(self) -> bool:
        """Whether every figure is as good as was asked for."""
        return all(one.passed for one in self.gates)


def evaluate_panel(
    panel: Panel,
    data: Labelled | str | Path,
    *,
    out: Path | str | None = None,
    split: str | None = None,
    limit: int | None = None,
    by: Sequence[str] = (),
    watch: Watch = lambda _tally: None,
) -> JudgedRun:
    """Judges a saved panel on labelled images that it has not learned from, and writes the report.

    Called again with the same, it goes on where it was stopped. ``out`` is the run's folder, a new one under ``runs/``
    without. Raises what ``runs.evaluate`` and ``judge_run`` raise.
    """
    dataset = data if isinstance(data, Labelled) else read_labelled(data)
    wanted = Wanted(None if out is None else Path(out), split=split, limit=limit)
    return judge_run(evaluate(panel, dataset, wanted, watch=watch).folder, by)


def judge_run(folder: Path, by: Sequence[str] = (), gates: Sequence[Gate] = ()) -> JudgedRun:
    """Writes ``report.html``, ``evaluation.json``, ``summary.md`` and ``cases.csv`` (``.parquet``, with pyarrow).

    ``by`` names columns of the data for subgroups. Raises ``RunError`` where the folder holds no run, ``DataError``
    where no case of it can be judged or no case has such a column.
    """
    evaluation = evaluate_folder(folder, by)
    results = check(evaluation, gates)
    write_text(folder / EVALUATION, evaluation.model_dump_json(indent=1) + "\n")
    write_text(folder / SUMMARY, markdown(evaluation, results))
    _write_tables(folder)
    return JudgedRun(folder, evaluation, results, write_report(folder, evaluation, gates=results))


def _write_tables(folder: Path) -> None:
    record, metadata = read_record(folder), dict[str, None]()
    for row in read_rows(folder):
        metadata.update(dict.fromkeys(row.case.metadata))
    agents = dict.fromkeys(one.agent for one in record.trust if one.round == 1 and one.calibrator)
    table = CaseTable(record.task, tuple(agents), tuple(metadata))
    table.write_csv(folder / f"{TABLE}.csv", read_rows(folder))
    if find_spec("pyarrow") is not None:
        table.write_parquet(folder / f"{TABLE}.parquet", read_rows(folder))
