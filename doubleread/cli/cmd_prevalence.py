"""``doubleread prevalence``."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from doubleread.cli.cases_shared import say, say_json, table
from doubleread.cli.screen import OUT, note, progress, warn
from doubleread.evals.datasets.unlabelled import read_unlabelled
from doubleread.orchestrator.prevalence.prior_shift import toml_key
from doubleread.panel import Panel
from doubleread.settings import Settings

if TYPE_CHECKING:
    from doubleread.orchestrator.prevalence.batch_prevalence import BatchPrevalence

SHOWN_PROBLEMS = 10


def run_prevalence(
    folder: Path,
    images: list[str],
    group: str | None,
    settings: Settings,
    *,
    as_json: bool = False,
    allow: bool = False,
) -> None:
    """Diagnoses the images and says which shares of them have which label."""
    cases, unread = read_unlabelled(images, group=group)
    with Panel.load(folder, settings=settings, allow_from_panel=allow) as panel:
        with progress() as report:
            found = panel.prevalence(cases, progress=report)
        found = found.model_copy(update={"unread": (*unread, *found.unread)})
    if as_json:
        say_json(found.model_dump_json())
    else:
        _show(found)
    if found.refused:
        raise typer.Exit(1)


def _show(found: "BatchPrevalence") -> None:
    for one in found.unread[:SHOWN_PROBLEMS]:
        warn(f"skipped {one.source}: {one.problem}")
    if len(found.unread) > SHOWN_PROBLEMS:
        warn(f"… and {len(found.unread) - SHOWN_PROBLEMS:,} more images skipped")
    say(found.line)
    if found.labels:
        OUT.print()
        _show_labels(found)
    for line in _notes(found):
        note(line)


def _show_labels(found: "BatchPrevalence") -> None:
    from rich.text import Text

    numbers = ("share", "95 % interval", "panel assumes")
    shown = table("label", *numbers, right=numbers)
    for one in found.labels:
        interval = f"{one.low:.1%} to {one.high:.1%}"
        shown.add_row(Text(one.label), f"{one.share:.1%}", interval, f"{one.now:.1%}")
    OUT.print(shown)
    OUT.print()


def _notes(found: "BatchPrevalence") -> list[str]:
    """What the figures rest on, and what to do with them."""
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
    """The shares as a task takes them: none is 0, and rounded they still sum to 1."""
    rounded = {label: max(round(share, 4), 0.0001) for label, share in found.shares.items()}
    largest = max(rounded, key=lambda label: rounded[label])
    rounded[largest] += 1 - sum(rounded.values())
    return f"prior = {{ {', '.join(f'{toml_key(label)} = {share:.4f}' for label, share in rounded.items())} }}"
