"""``doubleread cases suspect`` and ``correct``: find labels that look wrong and apply corrections."""

import os
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.announcements import announce_reading
from doubleread.cli.cases_shared import archive_of, opened
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import OUT, progress, say, table, tell_json, warn
from doubleread.cli.screen import note as tell_note
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError
from doubleread.core.terminal_text import harmless

if TYPE_CHECKING:
    from doubleread.evals.datasets import LabelledCases
    from doubleread.evals.suspects.corrections import Correction
    from doubleread.evals.suspects.suspect_search import SuspectLabels

app = typer.Typer()

SHOWN = 20
PAGE, TABLE = "suspects.html", "corrections.csv"
Where = Annotated[
    str, typer.Argument(metavar="WHERE", help="A data set, as for `fit`, an archive, or a panel's folder (its cases).")
]


@app.command(epilog="Example: doubleread cases suspect photos/ -o suspects")
@grouped
def suspect(
    where: Where,
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the page and the table.")] = Path("suspects"),
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Number of labels to list; by default the largest number that may be wrong."),
    ] = None,
    columns: DataColumns,
    json: options.AsJson = False,
    settings: options.SettingsFile = None,
    encoder: options.Encoder = None,
) -> None:
    """Find labels that look wrong, the most suspicious first.

    Every label is judged by models that saw neither the image nor its group. Nothing is changed: look at the page,
    write the right labels into the table, and apply it with `cases correct`.
    """
    from doubleread.evals.suspects.corrections import write_table
    from doubleread.evals.suspects.suspect_search import find_suspects
    from doubleread.evals.suspects.suspects_page import suspects_page
    from doubleread.panel.composition import open_eyes

    if (out / TABLE).exists():
        raise DataError(f"{out / TABLE} is there already and may hold decisions: apply it, or name another folder (-o)")
    cases = _read(where, columns)
    with closing(open_eyes(options.settings_of(settings, encoder))) as eyes, progress() as report:
        found = find_suspects(cases.name, cases.cases, eyes, limit=limit, progress=partial(report, "encoding"))
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / PAGE, suspects_page(found, table=TABLE))
    write_table(found, out / TABLE)
    if json:
        tell_json(found.model_dump_json())
    else:
        _show(found)
    tell_note(f"page: {out / PAGE}")
    tell_note(
        f"table: {out / TABLE}; fill in the column `correct`, then: doubleread cases correct {where} {out / TABLE}"
    )


@app.command(epilog="Example: doubleread cases correct archive suspects/corrections.csv --reviewer Ada")
@grouped
def correct(
    where: Where,
    file: Annotated[Path, typer.Argument(metavar="TABLE", help="Table of `cases suspect` with labels in `correct`.")],
    *,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Of a data set: the corrected manifest (.csv) to write.")
    ] = Path("corrected.csv"),
    reviewer: options.Reviewer = "",
    note: options.Note = "",
    columns: DataColumns,
) -> None:
    """Apply a table of corrections: relabel the cases of an archive, or write a corrected manifest of a data set."""
    from doubleread.evals.datasets.archive_dataset import is_archive
    from doubleread.evals.datasets.manifest_dataset import write_manifest
    from doubleread.evals.suspects.corrections import corrected, read_table

    corrections = read_table(file)
    if not corrections:
        say(f"nothing to correct: the column `correct` of {file} is empty")
        return
    home = archive_of(Path(where))
    if is_archive(home):
        _relabel(home, corrections, reviewer, note or f"corrected by {file.name}")
        return
    if os.path.lexists(out):
        raise DataError(f"{out} exists already; choose another name")
    cases, lost = corrected(_read(where, columns).cases, corrections)
    _warn_lost([one.id for one in lost])
    write_manifest(out, cases)
    say(f"{_labels(len(corrections) - len(lost))} corrected in {out}; {where} is as it was")


def _read(where: str, columns: DataColumns) -> "LabelledCases":
    home = archive_of(Path(where))
    cases = columns.labelled(where if home == Path(where) else str(home))
    announce_reading(cases)
    return cases


def _show(found: "SuspectLabels") -> None:
    from doubleread.evals.suspects.suspects_page import percent

    say(found.line)
    if not found.suspects:
        return
    shown = table("", "given", "looks like", "given is right", "picture", right=("", "given is right"))
    shown.columns[3].no_wrap = True
    for i, one in enumerate(found.suspects[:SHOWN], start=1):
        cells = (str(i), one.label, one.suggested, percent(one.probability), Path(one.source).name)
        shown.add_row(*(Text(harmless(cell)) for cell in cells))
    OUT.print()
    OUT.print(shown)
    OUT.print()
    if len(found.suspects) > SHOWN:
        tell_note(f"{len(found.suspects) - SHOWN:,} more are in the table and on the page")


def _relabel(folder: Path, corrections: "list[Correction]", reviewer: str, note: str) -> None:
    from doubleread.rag.care.case_corrections import relabel

    done, lost = 0, []
    with opened(folder) as store:
        there = {one.case.id for one in store.get([one.id for one in corrections])}
        for one in corrections:
            if one.id not in there:
                lost.append(one.id)
            else:
                done += relabel(store, one.id, one.label, reviewer=reviewer, note=note).label != one.label
    _warn_lost(lost)
    say(f"{_labels(done)} corrected in {folder}; `doubleread cases undo` takes a change back")


def _labels(n: int) -> str:
    return f"{n:,} label{'' if n == 1 else 's'}"


def _warn_lost(ids: list[str]) -> None:
    for one in ids:
        warn(f"no case {one[:12]}: it was removed, or is of another data set")
