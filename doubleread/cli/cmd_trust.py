"""``doubleread trust``: trust profiles, outcomes and updates."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from doubleread.core.durable import write_text

app = typer.Typer(no_args_is_help=True, help="What a panel knows of its agents, and how.")


class Sampling(StrEnum):
    """How the confirmed cases were sampled."""

    all = "all"
    selected = "selected"


Panel = Annotated[str, typer.Argument(help="A fitted panel, or PANEL@2 for a version of its trust.")]
PanelFolder = Annotated[Path, typer.Argument(help="Folder of a fitted panel.")]


@app.command(epilog="Example: doubleread trust show panel --draw trust.svg")
def show(
    panel: Panel = "panel",
    draw: Annotated[Path | None, typer.Option(help="Also draw every reliability diagram into this .svg file.")] = None,
) -> None:
    """Accuracy, calibration and what they were learned from, agent by agent and round by round; signs of drift."""
    from doubleread.cli.announcements import announce_gaps
    from doubleread.cli.cmd_compare_trust import side
    from doubleread.cli.cmd_outcomes import announce_outcomes
    from doubleread.cli.screen import OUT, note
    from doubleread.cli.tables import show_trust
    from doubleread.evals.trust_drawing import draw_trust
    from doubleread.orchestrator.explanation.influence import left_out

    saved = side(panel).saved
    profiles = saved.arbiter.profiles
    show_trust(profiles, left_out(saved.arbiter))
    for source in dict.fromkeys(p.learned_from for p in profiles):
        note(f"learned from {source}")
    announce_gaps(profiles)
    announce_outcomes(saved)
    if draw is not None:
        write_text(draw, draw_trust(saved))
        OUT.print(str(draw), markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example: doubleread trust export panel -o trust.csv")
def export(
    panel: Panel = "panel",
    out: Annotated[Path, typer.Option("-o", "--out", help=".csv for the figures, .json for everything.")] = Path(
        "trust.csv"
    ),
) -> None:
    """Write the trust profiles to a file."""
    import json

    from doubleread.cli.cmd_compare_trust import side
    from doubleread.cli.screen import OUT
    from doubleread.cli.tables import csv_text, figures
    from doubleread.core.errors import DataError

    profiles = side(panel).saved.arbiter.profiles
    if out.suffix == ".json":
        write_text(out, json.dumps([p.model_dump(mode="json") for p in profiles], indent=1))
    elif out.suffix == ".csv":
        write_text(out, csv_text([figures(p) for p in profiles]))
    else:
        raise DataError(f"cannot write {out}: name a .csv or a .json file")
    OUT.print(str(out), markup=False, highlight=False, soft_wrap=True)


PanelOption = Annotated[Path, typer.Option("--panel", help="Folder of a fitted panel.")]
Reviewer = Annotated[str, typer.Option(help="Who says so.")]
Note = Annotated[str, typer.Option(help="Anything to remember with it.")]


@app.command(epilog="Example: doubleread trust confirm verdicts.jsonl --labels labels.csv --sampling all")
def confirm(
    verdicts: Annotated[Path, typer.Argument(help="What `doubleread diagnose --json` wrote; - for standard input.")],
    labels: Annotated[
        Path | None, typer.Option(help="Table of two columns: case id or image path, and what turned out to be true.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="What turned out to be true of a single verdict.")] = None,
    panel: PanelOption = Path("panel"),
    sampling: Annotated[
        Sampling,
        typer.Option(help="all: every case of a stream is confirmed; selected: chosen ones, as referrals are."),
    ] = Sampling.selected,
    reviewer: Reviewer = "",
    note: Note = "",
    archive: Annotated[
        bool, typer.Option(help="Let the cases join the panel's archive, as evidence for others.")
    ] = True,
) -> None:
    """Keep what turned out to be true of diagnosed cases. Exit code 1 where a row could not be used."""
    from doubleread.cli.cmd_outcomes import run_confirm

    run_confirm(verdicts, labels, label, panel, sampling=sampling.value, reviewer=reviewer, said=note, archive=archive)


@app.command(epilog="Example: doubleread trust retract 9f86d081… --panel panel")
def retract(
    cases: Annotated[list[str], typer.Argument(help="Ids of confirmed cases.")],
    panel: PanelOption = Path("panel"),
    reviewer: Reviewer = "",
    note: Note = "",
) -> None:
    """Take confirmed outcomes back. The history of what was said is kept."""
    from doubleread.cli.cmd_outcomes import run_retract

    run_retract(cases, panel, reviewer=reviewer, said=note)


@app.command(epilog="Example: doubleread trust update panel --dry-run")
def update(
    panel: PanelFolder = Path("panel"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    include_selected: Annotated[
        bool, typer.Option("--include-selected", help="Also learn from selected cases; the profiles will warn of it.")
    ] = False,
    to_version: Annotated[int | None, typer.Option(help="Go back to this version instead.")] = None,
) -> None:
    """Learn trust anew from the calibration cases and the confirmed outcomes. Older versions are kept."""
    from doubleread.cli.cmd_outcomes import run_update

    run_update(panel, include_selected=include_selected, dry_run=dry_run, to_version=to_version)


@app.command(epilog="Example: doubleread trust compare panel@1 panel@2 --draw change.svg")
def compare(
    first: Annotated[str, typer.Argument(help="PANEL, PANEL@2 (a version of its trust) or PANEL@outcomes.")],
    second: Annotated[str, typer.Argument(help="What to compare with it.")],
    draw: Annotated[Path | None, typer.Option(help="Also draw both sides' reliability into this .svg file.")] = None,
) -> None:
    """Two panels, two versions of one, or a panel and its outcomes: better, worse or the same."""
    from doubleread.cli.cmd_compare_trust import run_compare

    run_compare(first, second, draw)
