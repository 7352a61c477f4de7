"""``doubleread demo``."""

from pathlib import Path
from time import perf_counter

from rich.markup import escape

from doubleread.cli.cmd_fit import announce, announce_models, announce_panel
from doubleread.cli.screen import OUT, note, progress, warn
from doubleread.cli.tables import show_evaluation, show_trust
from doubleread.evals.datasets import read_dataset
from doubleread.evals.datasets.task_file import with_task
from doubleread.evals.demo import judge, telling
from doubleread.evals.splits import split
from doubleread.panel import Panel
from doubleread.render.shown import ShownVerdict
from doubleread.settings import Settings


def run_demo(
    data: str,
    out: Path | None,
    show: int,
    settings: Settings,
    *,
    group: str | None,
    label_column: str,
    path_column: str,
    task_file: Path | None = None,
) -> None:
    """The whole job on real images, with progress, some verdicts, the figures, and where everything lies."""
    began = perf_counter()
    dataset = read_dataset(data, label_column=label_column, path_column=path_column, group=group)
    dataset = with_task(dataset, task_file)
    cases = split(dataset.cases, seed=settings.trust.seed)
    announce(dataset.model_copy(update={"cases": cases}))
    folder = out or Path("runs") / f"demo-{dataset.name}"

    def introduce(panel: Panel) -> None:
        announce_panel(panel)
        show_trust(panel.profiles, panel.left_out)
        announce_models(panel)

    with progress() as report:
        outcome = judge(dataset, cases, folder, settings, report, introduce)
    if outcome.reused:
        note("the panel was fitted before on the same data: used again")
    for row in outcome.rows:
        if row.unread is not None:
            warn(f"not diagnosed, left out of the figures: {row.unread.source}: {row.unread.problem}")
    verdicts = [row.verdict for row in outcome.rows if row.verdict is not None]
    for verdict in telling(verdicts)[:show]:
        OUT.print(ShownVerdict.of(verdict))
        OUT.print(f"[dim]true label: {escape(str(verdict.case.label))}[/dim]\n")
    show_evaluation(outcome.judged.evaluation)
    note(f"{perf_counter() - began:.0f} s")
    OUT.print(escape(f"results: {folder}  (open {outcome.judged.report})"), soft_wrap=True, highlight=False)
