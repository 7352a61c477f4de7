"""What a run comes to, written beside its rows: for people, for machines, and for a pull request."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from doubleread.core.durable import write_text
from doubleread.core.notices import warn_user
from doubleread.core.progress import Progress
from doubleread.core.trust import n_of
from doubleread.evals.datasets import LabelledCases, read_labelled
from doubleread.evals.datasets.label_hints import kept_words
from doubleread.evals.metrics.case_tables import CaseTable
from doubleread.evals.metrics.evaluation import Evaluation, ReaderFigures
from doubleread.evals.metrics.folders import evaluate_folder
from doubleread.evals.metrics.gates import GateResult, MetricBound, check
from doubleread.evals.metrics.markdown_report import markdown
from doubleread.evals.metrics.panel_worth import worth
from doubleread.evals.report.report_page import write_report
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.evals.runs.run_folder import read_record, read_rows
from doubleread.evals.runs.runner import RunProgress, Watch
from doubleread.orchestrator.metrics import shown_in
from doubleread.orchestrator.metrics.metric import Metric
from doubleread.panel import Panel
from doubleread.render.overview import HasOverview, Overview
from doubleread.render.progress_display import shown

EVALUATION, SUMMARY, TABLE = "evaluation.json", "summary.md", "cases"


@dataclass(frozen=True, repr=False)
class PanelEvaluation(HasOverview):
    """The figures of a run, and whether they reach the bounds that were set.

    Examples:
        >>> judged = doubleread.evaluate_panel(panel, "photos", out="runs/first")
        >>> judged.report.name, judged.passed
        ('report.html', True)
    """

    folder: Path
    """Folder of the run."""
    evaluation: Evaluation
    """All figures, with intervals."""
    gates: tuple[GateResult, ...]
    """The bounds, each with whether it is reached."""
    report: Path
    """The HTML report, one file that works offline."""

    @property
    def passed(self) -> bool:
        """Whether every bound is reached."""
        return all(one.passed for one in self.gates)

    def _overview(self, *, pictures: bool) -> Overview:
        del pictures
        found = self.evaluation
        some = f"{found.judged_n:,} of {found.asked_n:,}" if found.left_out else f"{found.n:,}"
        shown = tuple(one for one in shown_in("readers") if one.name in ("accuracy", "ece", "nll"))
        return Overview(
            kind="Evaluation",
            title=f"{found.name}: {some} images",
            facts=(("report", str(self.report)),),
            lines=(
                worth(found),
                *(f"{'✓' if one.passed else '✗'} {one.text}" for one in self.gates),
                *(one.note for one in found.silent),
            ),
            headings=("agent", "n", *(one.heading for one in shown)),
            rows=(
                *((one.reader, n_of(one.n, one.abstained), *(_cell(one, m) for m in shown)) for one in found.readers),
                *((one.reader, one.answered, *("" for _ in shown)) for one in found.silent),
            ),
            warnings=found.warnings,
        )


def evaluate_panel(
    panel: Panel,
    data: LabelledCases | str | Path,
    *,
    out: Path | str | None = None,
    split: str | None = None,
    limit: int | None = None,
    by: Sequence[str] = (),
    watch: Watch = lambda _tally: None,
    progress: Progress | None = None,
) -> PanelEvaluation:
    """Evaluates a saved panel on labelled images that it has not learned from, and writes a report.

    The same call again resumes a run that was stopped. It warns of images that the figures leave out, such as those
    whose label the panel does not know; ``evaluation.left_out`` counts them, and ``evaluation.too_many_left_out`` says
    whether they are more than 5 %.

    Args:
        panel: A panel that was loaded from its folder.
        data: Labelled cases, or anything that ``read_dataset`` takes.
        out: Folder of the run; a new one under ``runs/`` if None.
        split: Split to run; if None, the test split of data that have splits, else all cases.
        limit: Greatest number of images, taken evenly from the data.
        by: Columns of the data to report subgroups by.
        watch: Called with the state of the run after each case.
        progress: As for ``Panel.fit``.

    Raises:
        DataError: No case is left to run, none has a label that the panel knows, or no case has a column of ``by``.
        RunError: The folder belongs to another run.
        PanelError: The panel was never saved.

    Examples:
        >>> judged = doubleread.evaluate_panel(panel, "photos", out="runs/first")
        >>> judged.evaluation.n, judged.evaluation.panel.accuracy.value
        (9, 1.0)
    """
    dataset = data if isinstance(data, LabelledCases) else read_labelled(data, label_map=kept_words(panel.task.names))
    wanted = RunChoice(None if out is None else Path(out), split=split, limit=limit)
    with shown(progress) as report:

        def told(tally: RunProgress) -> None:
            report("diagnosing images", tally.done, tally.total or tally.done)
            watch(tally)

        ended = evaluate(panel, dataset, wanted, watch=told)
    return judge_run(ended.folder, by)


def judge_run(folder: Path, by: Sequence[str] = (), gates: Sequence[MetricBound] = ()) -> PanelEvaluation:
    """Computes the figures of a run and writes ``report.html``, ``evaluation.json``, ``summary.md`` and ``cases.csv``.

    With pyarrow it also writes ``cases.parquet``.

    Args:
        folder: Folder of the run.
        by: Columns of the data to report subgroups by.
        gates: Bounds that figures must reach.

    Raises:
        RunError: The folder holds no run.
        DataError: No case can be judged, or no case has a column of ``by``.

    Examples:
        >>> from doubleread.evals.panel_evaluation import judge_run
        >>> run = doubleread.evaluate_panel(panel, "photos", out="runs/first").folder
        >>> judge_run(run).evaluation.labels
        ('blue', 'green', 'red')
    """
    evaluation = evaluate_folder(folder, by)
    warn_user(evaluation.warnings)
    results = check(evaluation, gates)
    write_text(folder / EVALUATION, evaluation.model_dump_json(indent=1) + "\n")
    write_text(folder / SUMMARY, markdown(evaluation, results))
    _write_tables(folder)
    return PanelEvaluation(folder, evaluation, results, write_report(folder, evaluation, gates=results))


def _cell(reader: ReaderFigures, metric: Metric) -> str:
    found = reader.metric(metric.name)
    return "" if found is None else metric.display.value(found.value)


def _write_tables(folder: Path) -> None:
    record, metadata = read_record(folder), dict[str, None]()
    for row in read_rows(folder):
        metadata.update(dict.fromkeys(row.case.metadata))
    table = CaseTable(record.task, record.agents, tuple(metadata))
    table.write_csv(folder / f"{TABLE}.csv", read_rows(folder))
    if find_spec("pyarrow") is not None:
        table.write_parquet(folder / f"{TABLE}.parquet", read_rows(folder))


__all__ = ["PanelEvaluation", "evaluate_panel", "judge_run"]
