"""``doubleread evaluate`` and ``doubleread report``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from doubleread.cli import options
from doubleread.cli.announcements import announce_reading
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import OUT, note, tell, warn
from doubleread.core.errors import DataError, RunError

if TYPE_CHECKING:
    from doubleread.evals.metrics.gates import MetricBound
    from doubleread.evals.runs.run_record import Shard

app = typer.Typer()

FAILED, LEFT_OUT, INCOMPLETE, INTERRUPTED = 1, 2, 3, 130
ENDS = {"budget": "the budget is used up", "interrupted": "stopped"}


@dataclass(frozen=True)
class JudgeOptions:
    """Options for judging a run."""

    by: Annotated[list[str] | None, typer.Option(help="Column of the data for figures by subgroup; repeatable.")] = None
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="FIGURE=NUMBER",
            help="Exit code 1 if a figure is lower, as in accuracy=0.95; repeatable.",
        ),
    ] = None
    fail_over: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-over",
            metavar="FIGURE=NUMBER",
            help="Exit code 1 if a figure is higher, as in ece=0.05; repeatable.",
        ),
    ] = None

    allow_left_out: Annotated[
        bool,
        typer.Option(
            "--allow-left-out", help="Accept that more than 5 % of the images are left out, as with unknown labels."
        ),
    ] = False

    def gates(self) -> "list[MetricBound]":
        """The bounds on the metrics. Raises ``DataError`` for an invalid one."""
        from doubleread.evals.metrics.gates import parse_gate

        under = [parse_gate(one, "at least") for one in self.fail_under or ()]
        return under + [parse_gate(one, "at most") for one in self.fail_over or ()]


@app.command(
    epilog="Example: doubleread evaluate photos/ --panel panel --fail-under accuracy=0.95 --fail-over ece=0.05. Exit "
    "codes: 0; 1 a figure is worse than asked for; 2 nothing was run, or more than 5 % of the images are left out "
    "(unknown label, not readable, no answer); 3 the budget is used up; 130 interrupted."
)
@grouped
def evaluate(
    data: Annotated[
        str, typer.Argument(help="Labelled images, as for `fit`. If they have splits, the test split is used.")
    ],
    *,
    panel: Annotated[Path, typer.Option(help="Folder of a fitted panel.")] = Path("panel"),
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the run.", show_default="runs/TIME-NAME")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split to use; `all` for all images.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Number of images, taken evenly from the data.")] = None,
    shard: Annotated[
        str | None, typer.Option(help="Part of the data to run, such as 2/8 for the second of eight.")
    ] = None,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Retry images that failed before.")] = False,
    engine: Annotated[
        Literal["local", "ray"] | None, typer.Option(help="Run in this process, or on the workers of a Ray cluster.")
    ] = None,
    in_flight: Annotated[int | None, typer.Option(min=1, max=1024, help="Images to diagnose at the same time.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Most US dollars to spend on models.")] = None,
    judging: JudgeOptions,
    columns: DataColumns,
    settings: options.SettingsFile = None,
    allow_from_panel: options.AllowFromPanel = False,
) -> None:
    """Test a panel on images that it has not learned from. The same command resumes a run that was stopped.

    Press Ctrl-C once to stop after the images in progress, and twice to stop at once.
    """
    from doubleread.cli.run_progress import watching
    from doubleread.evals.runs.evaluate import RunChoice
    from doubleread.evals.runs.evaluate import evaluate as run
    from doubleread.panel import Panel

    choice, gates = RunChoice(out, split, limit, _shard(shard), retry_errors), judging.gates()
    run_flags = {"engine": engine, "in_flight": in_flight}
    chosen = options.settings_of(settings, run=run_flags, budget={"max_cost_usd": max_cost})
    with Panel.load(panel, settings=chosen, allow_from_panel=allow_from_panel) as loaded:
        dataset = columns.labelled_with_bar(data, loaded.task.names)
        announce_reading(dataset)
        with watching() as watch:
            ended = run(loaded, dataset, choice, watch=watch, announce=_announce)
    if ended.end != "complete":
        warn(f"{ENDS[ended.end]}: the same command resumes; `doubleread report` evaluates what is done")
        tell(str(ended.folder))
        raise typer.Exit(INCOMPLETE if ended.end == "budget" else INTERRUPTED)
    _judge(ended.folder, judging, gates)


def _announce(folder: Path, notes: Sequence[str]) -> None:
    for line in notes:
        note(line)
    note(f"run: {folder}")


@app.command(epilog="Example: doubleread report runs/latest --by site, or: report shard1 shard2 -o whole")
@grouped
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folder of a run, or of all shards of a run.")],
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the joined run, if there are several shards.")
    ] = (None),
    judging: JudgeOptions,
) -> None:
    """Compute the figures, report and tables of a run, finished or not. No model is called."""
    from doubleread.evals.runs.run_folder import join

    gates = judging.gates()
    if len(runs) > 1 and out is None:
        raise RunError("to join the shards of a run, name a folder for the whole with -o")
    _judge(runs[0] if out is None else join(runs, out), judging, gates)


def _judge(folder: Path, judging: JudgeOptions, gates: "list[MetricBound]") -> None:
    from doubleread.cli.tables import show_evaluation
    from doubleread.evals.panel_evaluation import judge_run

    judged = judge_run(folder, tuple(judging.by or ()), gates)
    show_evaluation(judged.evaluation)
    for gate in judged.gates:
        mark = "[green]✓[/]" if gate.passed else "[red]✗[/]"
        doubt = "" if gate.sure else "  [dim](not certain: the bound lies within the 95 % interval)[/]"
        OUT.print(f"{mark} {escape(gate.text)}{doubt}", highlight=False, soft_wrap=True)
    tell(str(judged.report))
    if judged.evaluation.too_many_left_out and not judging.allow_left_out:
        warn("exit code 2, because more than 5 % of the images are left out; --allow-left-out accepts that")
        raise typer.Exit(LEFT_OUT)
    if not judged.passed:
        raise typer.Exit(FAILED)


def _shard(text: str | None) -> "Shard | None":
    from doubleread.evals.runs.run_record import Shard

    if text is None:
        return None
    number, _, of = text.partition("/")
    plain = all(part.isascii() and part.isdigit() and len(part) < 10 for part in (number, of))
    if not (plain and 1 <= int(number) <= int(of)):
        raise DataError(f"{text[:40]!r} is not a part of a run: write it as 2/8, the second of eight")
    return Shard(number=int(number), of=int(of))
