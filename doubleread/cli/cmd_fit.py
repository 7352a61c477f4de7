"""``doubleread fit``."""

from pathlib import Path
from typing import Annotated

import typer

from doubleread.cli import options
from doubleread.cli.announcements import announce_models, announce_panel, announce_reading
from doubleread.cli.option_groups import FitOptions, TestShare, grouped
from doubleread.cli.screen import progress, say

app = typer.Typer()


@app.command(epilog="Example: doubleread fit photos/ -o panel")
@grouped
def fit(
    data: Annotated[
        str, typer.Argument(help="A folder with one sub-folder for each label, a manifest, or solar-cells.")
    ],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write the panel to.")] = Path("panel"),
    given: FitOptions,
    test: TestShare,
    record: options.Record = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on without agents that cannot answer; the panel says which.")
    ] = False,
) -> None:
    """Fit a panel on labelled images and save it. Some images are kept back for a test."""
    from doubleread.cli.tables import show_trust
    from doubleread.panel import Panel
    from doubleread.panel.first_checks import check_first
    from doubleread.panel.saving import check_target, clear_leftovers

    settings = given.chosen(record)
    clear_leftovers(out)
    check_target(out)
    check_first(settings)
    dataset = given.dataset(data, given.task)
    announce_reading(dataset)
    dataset = test.held_out(dataset, settings.trust.seed, f"doubleread evaluate {given.as_written(data)} --panel {out}")
    with progress() as report:
        fitted = Panel.fit(dataset.cases, dataset.task, settings=settings, progress=report, keep_going=keep_going)
    with fitted as panel:
        announce_panel(panel)
        panel.save(out)
        show_trust(panel.profiles, panel.members)
        announce_models(panel)
    say(f"panel: {out}")
