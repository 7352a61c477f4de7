"""``doubleread prevalence``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from doubleread.cli.image_arguments import all_images
from doubleread.cli.options import AllowFromPanel, SettingsFile, settings_of
from doubleread.cli.screen import OUT, note, progress, say, table, tell_json

if TYPE_CHECKING:
    from doubleread.orchestrator.prevalence.batch_prevalence import BatchPrevalence

app = typer.Typer()


@app.command(epilog="Example: doubleread prevalence panel photos/")
def prevalence(
    panel: Annotated[Path, typer.Argument(metavar="PANEL", help="Folder of a fitted panel.")],
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES…", help="Images, as for `diagnose`; labels are not needed.")
    ],
    group: Annotated[
        str | None,
        typer.Option(
            help="Which images belong together, so that they count as one draw: 're:' and a pattern with one group."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    settings: SettingsFile = None,
    allow_from_panel: AllowFromPanel = False,
) -> None:
    """Estimate the share of each label among unlabelled images. The panel does not change.

    Exit code 1 if the images differ from the calibration cases in more than label shares, so that there is no
    estimate.
    """
    from doubleread.core.notices import first_few, warn_user
    from doubleread.evals.datasets.folder_dataset import read_unlabelled
    from doubleread.panel import Panel

    chosen = settings_of(settings)
    paths, problems, notes = all_images(images)
    for line in notes:
        note(line)
    cases, unread = read_unlabelled(paths, group=group)
    unread = [*problems, *unread]
    warn_user(first_few([f"skipped {one.source}: {one.problem}" for one in unread], "{n:,} more images skipped"))
    with Panel.load(panel, settings=chosen, allow_from_panel=allow_from_panel) as loaded:
        with progress() as report:
            found = loaded.prevalence(cases, progress=report)
        found = found.model_copy(update={"unread": (*unread, *found.unread)})
    if json:
        tell_json(found.model_dump_json())
    else:
        _show(found)
    if found.refused:
        raise typer.Exit(1)


def _show(found: "BatchPrevalence") -> None:
    say(found.line)
    if found.labels:
        OUT.print()
        _show_labels(found)
    for line in _notes(found):
        note(line)


def _show_labels(found: "BatchPrevalence") -> None:
    numbers = ("share", "95 % interval", "panel assumes")
    shown = table("label", *numbers, right=numbers)
    for one in found.labels:
        interval = f"{one.low:.1%} to {one.high:.1%}"
        shown.add_row(Text(one.label), f"{one.share:.1%}", interval, f"{one.now:.1%}")
    OUT.print(shown)
    OUT.print()


def _notes(found: "BatchPrevalence") -> list[str]:
    """Returns notes on what the estimates are based on and how to use them."""
    notes = [f"compared with {found.held_out:,} held-out cases; {found.alarms:,} images raised the unfamiliarity alarm"]
    if found.learned_from:
        notes.append(f"{found.learned_from:,} images left out: the panel was fitted on them")
    if found.silent:
        notes.append(f"{found.silent:,} images left out: no agent gave an opinion")
    if found.labels and not found.changed:
        notes.append("every interval holds what the panel assumes: there is no reason to change anything")
    if found.labels and found.changed:
        notes.append(
            "nothing was changed; to use the estimate, fit again with a task file (--task) that holds "
            f"{_in_task_file(found)}, or ask for single verdicts with panel.what_if(verdict, prevalence=…)"
        )
    return notes


def _in_task_file(found: "BatchPrevalence") -> str:
    """Formats the shares as a task file takes them: none is 0, and they sum to 1 after rounding."""
    from doubleread.orchestrator.prevalence.prior_shift import toml_key

    rounded = {label: max(round(share, 4), 0.0001) for label, share in found.shares.items()}
    largest = max(rounded, key=lambda label: rounded[label])
    rounded[largest] += 1 - sum(rounded.values())
    return f"prior = {{ {', '.join(f'{toml_key(label)} = {share:.4f}' for label, share in rounded.items())} }}"
