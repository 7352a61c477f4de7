"""``doubleread fit``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doubleread.cli import options
from doubleread.cli.data_source import DataSource, announce_reading
from doubleread.cli.screen import OUT, note, progress, say, warn

if TYPE_CHECKING:
    from doubleread.core.trust import TrustProfile
    from doubleread.evals.datasets import Dataset
    from doubleread.panel import Panel

app = typer.Typer()

REWORDINGS = {"paraphrase": "asked in other words", "permutation": "labels in another order"}


@app.command(epilog="Example: doubleread fit photos/ -o panel")
def fit(
    data: Annotated[str, typer.Argument(help="A folder with a sub-folder a label, a manifest, or solar-cells.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the fitted panel.")] = Path("panel"),
    group: options.Group = None,
    label_column: options.LabelColumn = "label",
    path_column: options.PathColumn = "path",
    task: options.TaskFile = None,
    settings: options.SettingsFile = None,
    encoder: options.Encoder = None,
    agents: options.Agents = None,
    rule: options.Rule = None,
    record: options.Record = None,
) -> None:
    """Fit a panel on labelled images and save it. Rows of split `test` are left alone."""
    from doubleread.cli.tables import show_trust
    from doubleread.panel import Panel
    from doubleread.panel.saving import check_target, clear_leftovers

    chosen = options.settings_of(settings, encoder, agents, rule, record)
    clear_leftovers(out)
    check_target(out)
    dataset = DataSource(data, group, label_column, path_column).dataset(task)
    announce(dataset)
    with progress() as report:
        fitted = Panel.fit(dataset.cases, dataset.task, settings=chosen, progress=report)
    with fitted as panel:
        announce_panel(panel)
        panel.save(out)
        show_trust(panel.profiles, panel.left_out)
        announce_models(panel)
    say(f"panel: {out}")


def announce(dataset: "Dataset") -> None:
    """What was read, what was wrong with it, and whether it leaks."""
    from doubleread.evals.leakage import check_leakage

    announce_reading(dataset)
    for line in check_leakage(dataset.cases).lines():
        note(line)


def announce_gaps(profiles: "Sequence[TrustProfile]") -> None:
    """How much the agents' answers depend on the wording."""
    from doubleread.cli.tables import percent

    for profile in profiles:
        for kind, gap in profile.consistency.items():
            flips = f"{percent(gap.flips)} of {gap.n} labels changed"
            note(f"{profile.agent}, {REWORDINGS[kind]}: {flips}, probabilities moved by {gap.distance.value:.2f}")


def announce_models(panel: "Panel") -> None:
    """What asking models has cost, and how much their answers depend on the wording."""
    from doubleread.cli.tables import spending_table

    announce_gaps(panel.profiles)
    if panel.spent:
        OUT.print(spending_table(panel.spent))


def announce_panel(panel: "Panel") -> None:
    """Which encoder is used, and what fitting had to say."""
    (warn if panel.encoder_is_fallback else note)(panel.encoder_note)
    for row in panel.unread:
        warn(f"skipped {row.source}: {row.problem}")
    for line in panel.notes:
        note(line)
