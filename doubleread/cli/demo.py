"""``doubleread demo``."""

from pathlib import Path
from time import perf_counter

from rich.table import Table

from doubleread.cli.fit import announce, announce_panel
from doubleread.cli.screen import OUT, note, progress
from doubleread.cli.tables import percent, profiles_table, trust_table
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets import read_dataset
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
) -> None:
    """The whole job on real images, with progress, some verdicts, the figures, and where everything lies."""
    began = perf_counter()
    dataset = read_dataset(data, label_column=label_column, path_column=path_column, group=group)
    cases = split(dataset.cases, seed=settings.trust.seed)
    announce(dataset.model_copy(update={"cases": cases}))
    folder = out or Path("runs") / f"demo-{dataset.name}"

    def introduce(panel: Panel) -> None:
        announce_panel(panel)
        OUT.print(trust_table(panel))

    with progress() as report:
        outcome = judge(dataset, cases, folder, settings, report, introduce)
    if outcome.reused:
        note("the panel was fitted before on the same data: used again")
    verdicts = [result for result in outcome.results if isinstance(result, Verdict)]
    for verdict in telling(verdicts)[:show]:
        OUT.print(ShownVerdict.of(verdict))
        OUT.print(f"[dim]true label: {verdict.case.label}[/dim]\n")
    _figures(outcome)
    note(f"{perf_counter() - began:.0f} s")
    OUT.print(f"results: {folder}  (open {folder / 'index.html'})", soft_wrap=True)


def _figures(outcome: Outcome) -> None:
    s = outcome.summary
    OUT.print(profiles_table(f"On {s.n} unseen images (agents after calibration)", [*s.agents, s.panel]))
    table = Table(title="Decisions", title_justify="left", show_header=False)
    if s.committed_accuracy:
        table.add_row("committed", str(s.committed), f"{percent(s.committed_accuracy)} of them right")
    table.add_row("referred to a person", str(s.referred), "")
    table.add_row("second looks", str(s.second_looks), _effects(outcome))
    table.add_row("prediction sets", f"{s.set_coverage:.1%} hold the true label", f"mean size {s.set_size:.2f}")
    table.add_row("time an image", f"{s.seconds_median:.3f} s", "median, after encoding")
    OUT.print(table)


def _effects(outcome: Outcome) -> str:
    moved = [e for e in outcome.summary.effects if e.helped or e.harmed]
    return "; ".join(f"{e.agent}: {e.helped} helped, {e.harmed} harmed" for e in moved)
