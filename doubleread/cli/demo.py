"""``doubleread demo``."""

from pathlib import Path
from time import perf_counter

from rich.markup import escape
from rich.table import Table

from doubleread.cli.fit import announce, announce_models, announce_panel
from doubleread.cli.screen import OUT, note, progress, warn
from doubleread.cli.tables import percent, readers_table, trust_table
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.datasets import read_dataset
from doubleread.evals.datasets.task_file import with_task
from doubleread.evals.demo import Outcome, judge
from doubleread.evals.page import telling
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
        OUT.print(trust_table(panel.profiles))
        announce_models(panel)

    with progress() as report:
        outcome = judge(dataset, cases, folder, settings, report, introduce)
    if outcome.reused:
        note("the panel was fitted before on the same data: used again")
    for result in outcome.results:
        if isinstance(result, Unread):
            warn(f"not diagnosed, left out of the figures: {result.source}: {result.problem}")
    verdicts = [result for result in outcome.results if isinstance(result, Verdict)]
    for verdict in telling(verdicts)[:show]:
        OUT.print(ShownVerdict.of(verdict))
        OUT.print(f"[dim]true label: {escape(str(verdict.case.label))}[/dim]\n")
    _figures(outcome)
    note(f"{perf_counter() - began:.0f} s")
    OUT.print(escape(f"results: {folder}  (open {folder / 'index.html'})"), soft_wrap=True, highlight=False)


def _figures(outcome: Outcome) -> None:
    e = outcome.evaluation
    OUT.print(readers_table(f"On {e.n} unseen images (agents after calibration)", [*e.agents, e.judged]))
    table = Table.grid(padding=(0, 2))
    right = f"{percent(e.decisions.committed_accuracy)} of them right" if e.decisions.committed_accuracy else ""
    table.add_row("[dim]committed[/dim]", str(e.decisions.committed), right)
    table.add_row("[dim]referred to a person[/dim]", str(e.decisions.referred), "")
    covered = f"; {e.sets.coverage.value:.1%} hold the true label" if e.sets.coverage else ""
    table.add_row("[dim]prediction sets[/dim]", f"{e.sets.size.value:.2f}", f"mean size{covered}")
    table.add_row("[dim]second looks[/dim]", str(e.second_looks.cases), _effects(outcome))
    if e.leaks.cases:
        others = e.leaks.accuracy_without
        clean = f"accuracy on the others {percent(others)}" if others else ""
        table.add_row("[dim]near copies of the panel's own cases[/dim]", f"[dark_orange]{e.leaks.cases}[/]", clean)
    OUT.print()
    OUT.print(table)


def _effects(outcome: Outcome) -> str:
    moved = [e for e in outcome.evaluation.second_looks.agents if e.helped or e.harmed]
    return "\n".join(f"{e.agent}: {e.helped} wrong → right, {e.harmed} right → wrong" for e in moved)
