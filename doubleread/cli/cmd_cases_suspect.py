"""``doubleread cases suspect`` and ``correct``: labels that look wrong, and what people say about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doubleread.cli.cases_shared import AsJson, Note, Reviewer, say, say_json, table
from doubleread.core.durable import write_text

if TYPE_CHECKING:
    from doubleread.evals.datasets import Labelled
    from doubleread.evals.suspects.corrections import Correction
    from doubleread.evals.suspects.suspect_search import SuspectLabels

app = typer.Typer()

SHOWN = 20
PAGE, TABLE = "suspects.html", "corrections.csv"
Where = Annotated[
    str, typer.Argument(metavar="WHERE", help="A data set, as for `fit`, an archive, or a panel's folder (its cases).")
]
Group = Annotated[str | None, typer.Option(help="What must stay together, as for `fit`.")]
LabelColumn = Annotated[str, typer.Option(help="Column that holds the label.")]
PathColumn = Annotated[str, typer.Option(help="Column that holds the image's path.")]


@app.command(epilog="Example: doubleread cases suspect photos/ -o suspects")
def suspect(
    where: Where,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the page and the table.")] = Path("suspects"),
    limit: Annotated[
        int | None, typer.Option(min=1, help="List so many; otherwise as many as may be wrong at most.")
    ] = None,
    group: Group = None,
    label_column: LabelColumn = "label",
    path_column: PathColumn = "path",
    json: AsJson = False,
    settings: Annotated[Path | None, typer.Option("--settings", help="Settings file.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Encoder, as for `fit`.")] = None,
) -> None:
    """Find labels that look wrong, the most suspicious first, and show them beside what they look like.

    Every label is judged by models that saw neither the image nor its group. Nothing is changed: look at the page,
    write the right labels into the table, and apply it with `cases correct`.
    """
    from doubleread.cli.options import settings_of
    from doubleread.cli.screen import note, progress, warn
    from doubleread.core.errors import DataError
    from doubleread.evals.suspects.corrections import write_table
    from doubleread.evals.suspects.suspect_search import find_suspects
    from doubleread.evals.suspects.suspects_page import suspects_page
    from doubleread.panel.composition import open_eyes

    if (out / TABLE).exists():
        raise DataError(f"{out / TABLE} is there already and may hold decisions: apply it, or name another folder (-o)")
    cases = _read(where, group, label_column, path_column)
    eyes = open_eyes(settings_of(settings, encoder))
    try:
        with progress() as report:
            found = find_suspects(
                cases.name, cases.cases, eyes, limit=limit, progress=lambda d, n: report("encoding", d, n)
            )
    finally:
        eyes.close()
    for row in found.unread:
        warn(f"skipped {row.source}: {row.problem}")
    for label, n in found.left_out.items():
        warn(f"skipped {n:,} cases of {label}: all are of one group, so nothing tells whether their labels are right")
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / PAGE, suspects_page(found, table=TABLE))
    write_table(found, out / TABLE)
    if json:
        say_json(found.model_dump_json())
    else:
        _show(found)
    note(f"page: {out / PAGE}")
    note(f"table: {out / TABLE}; fill in the column `correct`, then: doubleread cases correct {where} {out / TABLE}")


@app.command(epilog="Example: doubleread cases correct archive suspects/corrections.csv --reviewer Ada")
def correct(
    where: Where,
    file: Annotated[Path, typer.Argument(metavar="TABLE", help="Table of `cases suspect` with labels in `correct`.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Of a data set: the corrected manifest (.csv) to write.")
    ] = Path("corrected.csv"),
    reviewer: Reviewer = "",
    note: Note = "",
    group: Group = None,
    label_column: LabelColumn = "label",
    path_column: PathColumn = "path",
) -> None:
    """Apply a table of corrections: relabel the cases of an archive, or write a corrected manifest of a data set."""
    from doubleread.evals.datasets.archive_dataset import is_archive
    from doubleread.evals.suspects.corrections import corrected, read_table, write_manifest

    corrections = read_table(file)
    if not corrections:
        say(f"nothing to correct: the column `correct` of {file} is empty")
        return
    home = _archive_of(Path(where))
    if is_archive(home):
        _relabel(home, corrections, reviewer, note or f"corrected by {file.name}")
        return
    cases, lost = corrected(_read(where, group, label_column, path_column).cases, corrections)
    _warn_lost([one.id for one in lost])
    write_manifest(cases, out)
    say(f"{_labels(len(corrections) - len(lost))} corrected in {out}; {where} is as it was")


def _read(where: str, group: str | None, label_column: str, path_column: str) -> "Labelled":
    from doubleread.cli.cmd_fit import announce_reading
    from doubleread.evals.datasets.read import read_labelled

    home = _archive_of(Path(where))
    source = where if home == Path(where) else home
    cases = read_labelled(source, label_column=label_column, path_column=path_column, group=group)
    announce_reading(cases)
    return cases


def _archive_of(folder: Path) -> Path:
    """A panel's own cases lie in an archive inside its folder."""
    from doubleread.panel.trust_folder import MARK

    return folder / "store" if (folder / MARK).is_file() else folder


def _show(found: "SuspectLabels") -> None:
    from rich.text import Text

    from doubleread.cli.screen import OUT, note
    from doubleread.core.terminal_text import harmless
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
        note(f"{len(found.suspects) - SHOWN:,} more are in the table and on the page")


def _relabel(folder: Path, corrections: "list[Correction]", reviewer: str, note: str) -> None:
    from doubleread.cli.cases_shared import opened
    from doubleread.rag.care.edits import relabel

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
    from doubleread.cli.screen import warn

    for one in ids:
        warn(f"no case {one[:12]}: it was removed, or is of another data set")
