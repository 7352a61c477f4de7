"""``doubleread compare``: compares two runs on the cases they share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doubleread.cli.options import AsJson
from doubleread.cli.screen import say, table, tell_json, words_line
from doubleread.core.notices import warn_user
from doubleread.core.terminal_text import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from doubleread.evals.metrics.comparison import Changed, RunComparison, RunDifference

app = typer.Typer()

SHOWN = 10
"""Cases shown per list, unless all are requested."""


@app.command(epilog="Example: doubleread compare runs/before runs/after")
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run to compare with it.")],
    every: Annotated[
        bool, typer.Option("--all", help="List all cases that were fixed or broken, not only the first 10.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Compare two runs on the cases they share: which answers became right or wrong, and which differences are
    clear."""
    from doubleread.cli.screen import OUT
    from doubleread.evals.metrics.folders import compare_folders

    found = compare_folders(first, second)
    if json:
        tell_json(found.model_dump_json())
        return
    right = found.both_right + len(found.broken), found.both_right + len(found.fixed)
    say(f"The second run is right on {right[1]:,} of {found.n:,} shared cases, the first on {right[0]:,}.")
    OUT.print()
    OUT.print(_figures(found))
    OUT.print()
    for line in _counts(found):
        say(line)
    for title, cases in (("fixed", found.fixed), ("broken", found.broken)):
        if cases:
            OUT.print()
            OUT.print(_cases(title, cases, None if every else SHOWN))
    _notes(found)
    words_line(_row(one)[0] for one in found.differences)


def _figures(found: "RunComparison") -> "Table":
    shown = table("figure", "first", "second", "difference (95 %)", "", right=("first", "second", "difference (95 %)"))
    for one in found.differences:
        shown.add_row(*_row(one), _MARKS[one.change])
    return shown


def _row(one: "RunDifference") -> tuple[str, ...]:
    """Formats shares in per cent and their differences in percentage points."""
    from doubleread.evals.metrics.run_figures import run_figures

    figure = run_figures()[one.figure.replace("_", "-")]
    display, e = figure.display, one.difference
    change = f"{display.change(e.value)} ({display.interval(e, ' to ', '+')})"
    return figure.heading, display.value(one.first), display.value(one.second), change


_MARKS = {"better": "[green]▲ better[/]", "worse": "[red]▼ worse[/]", "same": "[dim]· unclear[/]"}


def _counts(found: "RunComparison") -> list[str]:
    return [
        f"fixed (wrong, then right): {len(found.fixed):,}; broken (right, then wrong): {len(found.broken):,}",
        f"right in both: {found.both_right:,}; wrong in both: {found.both_wrong:,}",
        f"McNemar's exact test of fixed against broken: p = {_p(found.p_value)}",
    ]


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 0.0001 else "less than 0.0001"


def _cases(title: str, cases: "Sequence[Changed]", most: int | None) -> "Table":
    from rich.text import Text

    shown = table(title, "true label", "first", "second")
    for one in cases[:most]:
        said = (_said(one.first, one.first_confidence), _said(one.second, one.second_confidence))
        shown.add_row(*(Text(harmless(text)) for text in (one.source, one.label, *said)))
    if most is not None and len(cases) > most:
        shown.add_row(f"[dim]… and {len(cases) - most:,} more: --all lists them[/]")
    return shown


def _said(label: str, confidence: float | None) -> str:
    return f"{label}, unfamiliar" if confidence is None else f"{label} {confidence:.0%}"


def _notes(found: "RunComparison") -> None:
    from doubleread.cli.screen import note

    note(f"first: {found.first} · second: {found.second}")
    if found.only_first or found.only_second:
        warn_user([f"not shared: {found.only_first:,} cases of the first run and {found.only_second:,} of the second"])
    for n, why in (
        (found.relabelled, "have another true label in the second run"),
        (found.unlabelled, "have no true label"),
        (found.silent, "have no answer in one of the runs"),
    ):
        if n:
            warn_user([f"{n:,} shared cases {why} and are left out"])
