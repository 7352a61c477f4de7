"""``doubleread trust``: what a panel knows of its agents."""

import csv
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="What a panel knows of its agents, and how.")

PanelFolder = Annotated[Path, typer.Argument(help="Folder of a fitted panel.")]


@app.command(epilog="Example: doubleread trust show panel --draw trust.svg")
def show(
    panel: PanelFolder = Path("panel"),
    draw: Annotated[Path | None, typer.Option(help="Also draw every reliability diagram into this .svg file.")] = None,
) -> None:
    """Accuracy, calibration and what they were learned from, agent by agent and round by round."""
    from doubleread.cli.fit import announce_gaps
    from doubleread.cli.screen import OUT, note
    from doubleread.cli.tables import trust_table
    from doubleread.evals.drawings import reliability_grid
    from doubleread.evals.page import reliability_panel
    from doubleread.panel_folder import read_panel

    profiles = read_panel(panel, None).arbiter.profiles
    OUT.print(trust_table(profiles))
    for source in dict.fromkeys(p.learned_from for p in profiles):
        note(f"learned from {source}")
    announce_gaps(profiles)
    if draw is not None:
        titled = [p.model_copy(update={"agent": f"{p.agent}, second look"}) if p.round > 1 else p for p in profiles]
        shown = [reliability_panel(p) for p in titled]
        draw.write_text(reliability_grid(shown, title="As stated, before calibration"), encoding="utf-8")
        OUT.print(str(draw), markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example: doubleread trust export panel -o trust.csv")
def export(
    panel: PanelFolder = Path("panel"),
    out: Annotated[Path, typer.Option("-o", "--out", help=".csv for the figures, .json for everything.")] = Path(
        "trust.csv"
    ),
) -> None:
    """Write the trust profiles to a file."""
    import json

    from doubleread.cli.screen import OUT
    from doubleread.cli.tables import figures
    from doubleread.core.errors import DataError
    from doubleread.panel_folder import read_panel

    profiles = read_panel(panel, None).arbiter.profiles
    if out.suffix == ".json":
        out.write_text(json.dumps([p.model_dump(mode="json") for p in profiles], indent=1), encoding="utf-8")
    elif out.suffix == ".csv":
        rows = [figures(p) for p in profiles]
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        raise DataError(f"cannot write {out}: name a .csv or a .json file")
    OUT.print(str(out), markup=False, highlight=False, soft_wrap=True)
