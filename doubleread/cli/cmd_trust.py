"""``doubleread trust``: trust profiles, outcomes and updates."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from doubleread.core.durable import write_text

app = typer.Typer(
    no_args_is_help=True, help="How good a panel's agents are: trust profiles, confirmed outcomes, updates."
)


class Sampling(StrEnum):
    """How the confirmed cases were sampled."""

    all = "all"
    selected = "selected"


Panel = Annotated[str, typer.Argument(help="A fitted panel, or PANEL@2 for a version of its trust.")]
PanelFolder = Annotated[Path, typer.Argument(help="Folder of a fitted panel.")]


@app.command(epilog="Example: doubleread trust show panel --draw trust.svg")
def show(
    panel: Panel = "panel",
    draw: Annotated[Path | None, typer.Option(help="Also draw the reliability diagrams into this .svg file.")] = None,
) -> None:
    """Show how accurate and how well calibrated each agent is, what this was learned from, and signs of drift."""
    from doubleread.cli.announcements import announce_gaps
    from doubleread.cli.cmd_compare_trust import side
    from doubleread.cli.cmd_outcomes import announce_outcomes
    from doubleread.cli.screen import OUT, note
    from doubleread.cli.tables import show_trust
    from doubleread.evals.trust_drawing import draw_trust
    from doubleread.orchestrator.trust.panel_members import panel_members

    saved = side(panel).saved
    profiles = saved.arbiter.profiles
    show_trust(profiles, panel_members(saved.arbiter))
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
    out: Annotated[
        Path, typer.Option("-o", "--out", help="File to write: .csv for the figures, .json for everything.")
    ] = Path("trust.csv"),
) -> None:
    """Write the trust profiles of all agents to a file."""
    from doubleread.cli.cmd_compare_trust import side
    from doubleread.cli.screen import OUT
    from doubleread.cli.trust_export import trust_csv, trust_json
    from doubleread.core.errors import DataError

    arbiter = side(panel).saved.arbiter
    if out.suffix == ".json":
        write_text(out, trust_json(arbiter))
    elif out.suffix == ".csv":
        write_text(out, trust_csv(arbiter))
    else:
        raise DataError(f"cannot write {out}: the name must end in .csv or .json")
    OUT.print(str(out), markup=False, highlight=False, soft_wrap=True)


PanelOption = Annotated[Path, typer.Option("--panel", help="Folder of a fitted panel.")]
Reviewer = Annotated[str, typer.Option(help="Name of the person who confirms.")]
Note = Annotated[str, typer.Option(help="A note to store with it.")]


@app.command(epilog="Example: doubleread trust confirm verdicts.jsonl --labels labels.csv --sampling all")
def confirm(
    verdicts: Annotated[Path, typer.Argument(help="What `doubleread diagnose --json` wrote; - for standard input.")],
    labels: Annotated[
        Path | None, typer.Option(help="Table with two columns: case id or image path, and the true label.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The true label, if there is one verdict.")] = None,
    panel: PanelOption = Path("panel"),
    sampling: Annotated[
        Sampling,
        typer.Option(help="all: every case is confirmed; selected: only some, such as the referred ones."),
    ] = Sampling.selected,
    reviewer: Reviewer = "",
    note: Note = "",
    archive: Annotated[
        bool, typer.Option(help="Add the cases to the panel's archive, where they serve as similar cases.")
    ] = True,
) -> None:
    """Store the true labels of diagnosed cases. Exit code 1 if a row could not be used."""
    from doubleread.cli.cmd_outcomes import run_confirm

    run_confirm(verdicts, labels, label, panel, sampling=sampling.value, reviewer=reviewer, said=note, archive=archive)


@app.command(epilog="Example: doubleread trust retract 9f86d081… --panel panel")
def retract(
    cases: Annotated[list[str], typer.Argument(help="Ids of confirmed cases.")],
    panel: PanelOption = Path("panel"),
    reviewer: Reviewer = "",
    note: Note = "",
) -> None:
    """Take back confirmed outcomes. The history is kept."""
    from doubleread.cli.cmd_outcomes import run_retract

    run_retract(cases, panel, reviewer=reviewer, said=note)


@app.command(epilog="Example: doubleread trust update panel --dry-run")
def update(
    panel: PanelFolder = Path("panel"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, but write nothing.")] = False,
    include_selected: Annotated[
        bool,
        typer.Option("--include-selected", help="Also learn from selected cases; the profiles will have a warning."),
    ] = False,
    to_version: Annotated[int | None, typer.Option(help="Return to this version instead.")] = None,
) -> None:
    """Learn trust again, from the calibration images and the confirmed outcomes. Older versions are kept."""
    from doubleread.cli.cmd_outcomes import run_update

    run_update(panel, include_selected=include_selected, dry_run=dry_run, to_version=to_version)


@app.command(epilog="Example: doubleread trust compare panel@1 panel@2 --draw change.svg")
def compare(
    first: Annotated[str, typer.Argument(help="PANEL, PANEL@2 (a version of its trust) or PANEL@outcomes.")],
    second: Annotated[str, typer.Argument(help="The other side, in the same form.")],
    draw: Annotated[
        Path | None, typer.Option(help="Also draw the reliability diagrams of both sides into this .svg file.")
    ] = None,
) -> None:
    """Compare two panels, two versions of one, or a panel and its confirmed outcomes."""
    from doubleread.cli.cmd_compare_trust import run_compare

    run_compare(first, second, draw)
