"""``doubleread demo``."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from doubleread.cli.announcements import announce_models, announce_panel, announce_reading
from doubleread.cli.option_groups import FitOptions, grouped
from doubleread.cli.screen import OUT, note, progress, say
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    from doubleread.panel import Panel

app = typer.Typer()


@app.command(epilog="Example: doubleread demo --data photos/ -o out")
@grouped
def demo(
    *,
    data: Annotated[
        str, typer.Option(help="solar-cells, a folder with one sub-folder for each label, or a manifest.")
    ] = ("solar-cells"),
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder for the results.")] = None,
    show: Annotated[int, typer.Option(help="How many verdicts to print.")] = 4,
    given: FitOptions,
) -> None:
    """Fit a panel on real images and test it on images that it has not seen."""
    from doubleread.cli.tables import show_evaluation
    from doubleread.evals.demo import judge, telling
    from doubleread.evals.splits import split
    from doubleread.render.shown import ShownVerdict

    began, settings = perf_counter(), given.chosen()
    dataset = given.dataset(data, given.task)
    cases = split(dataset.cases, seed=settings.trust.seed)
    announce_reading(dataset)
    folder = out or Path("runs") / f"demo-{dataset.name}"
    with progress() as report:
        outcome = judge(dataset, cases, folder, settings, report, _introduce)
    if outcome.reused:
        note("the panel was fitted before on the same data: used again")
    for row in outcome.rows:
        if row.unread is not None:
            warn_user([f"not diagnosed, left out of the figures: {row.unread.source}: {row.unread.problem}"])
    for verdict in telling([row.verdict for row in outcome.rows if row.verdict is not None])[:show]:
        OUT.print(ShownVerdict.of(verdict))
        OUT.print(f"[dim]true label: {escape(str(verdict.case.label))}[/dim]\n")
    show_evaluation(outcome.judged.evaluation)
    note(f"{perf_counter() - began:.0f} s")
    say(f"results: {folder}  (open {outcome.judged.report})")


def _introduce(panel: "Panel") -> None:
    from doubleread.cli.tables import show_trust

    announce_panel(panel)
    show_trust(panel.profiles, panel.members)
    announce_models(panel)
