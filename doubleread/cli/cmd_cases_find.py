"""``doubleread cases find``: the stored cases that are like a picture, or like what a text says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doubleread.cli.cases_shared import (
    SHOWN,
    AsJson,
    Folder,
    OnlyGroups,
    OnlyLabels,
    OnlySplits,
    OnlyTags,
    Since,
    Until,
    say,
    say_json,
    table,
    wanted_of,
)
from doubleread.core.durable import write_text
from doubleread.core.terminal_text import harmless

if TYPE_CHECKING:
    from rich.table import Table

    from doubleread.panel.archives import Searchable
    from doubleread.rag.case_search import Found

app = typer.Typer()


@app.command(epilog='Example: doubleread cases find archive leaf.jpg, or: cases find archive --text "orange spots"')
def find(
    archive: Folder,
    image: Annotated[Path | None, typer.Argument(metavar="IMAGE", help="File of the picture to look for.")] = None,
    text: Annotated[str | None, typer.Option(help="Words to look for instead; needs an encoder that reads them.")] = (
        None
    ),
    k: Annotated[int, typer.Option("-k", min=1, help="How many cases.")] = 10,
    each: Annotated[bool, typer.Option("--each", help="So many of every label, for contrast.")] = False,
    label: OnlyLabels = None,
    tag: OnlyTags = None,
    group: OnlyGroups = None,
    split: OnlySplits = None,
    since: Since = None,
    until: Until = None,
    encoder: Annotated[
        str | None, typer.Option(help="One of the archive's encoders, by name or fingerprint; see `cases stats`.")
    ] = None,
    json: AsJson = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Also write a page with the pictures (.html).")] = (
        None
    ),
    settings: Annotated[
        Path | None, typer.Option("--settings", help="Settings file; see `doubleread settings`.")
    ] = None,
) -> None:
    """Find the cases that are most like a picture or a text, nearest first. The picture itself is left out."""
    from doubleread.cli.options import settings_of
    from doubleread.cli.screen import note
    from doubleread.core.errors import DataError
    from doubleread.panel.archives import open_searchable, query_of

    if out is not None and out.suffix.lower() != ".html":
        raise DataError(f"{out} does not end in .html: name the page so")
    if image is not None and not image.exists():
        raise DataError(f'there is no picture {image}: to look for words, write --text "{image}"')
    query, wanted = query_of(image, text), wanted_of(label, tag, group, split, since, until)
    with open_searchable(archive, settings_of(settings, encoder)) as searchable:
        found = searchable.find(query, k=k, each=each, wanted=wanted)
        for line in _notes(searchable, found):
            note(line)
        line = _summary(searchable, found)
    if json:
        say_json(found.model_dump_json())
    else:
        _show(found, line, each=each)
    if out is not None:
        _write(out, found, line, picture=image, each=each)
        note(f"page: {out}")


def _notes(searchable: "Searchable", found: "Found") -> list[str]:
    """What is not to be seen from the answer itself."""
    lacking = searchable.archive.ledger.count() - searchable.archive.count()
    notes = [f"encoder: {searchable.choice.name}: {searchable.choice.reason}"]
    if found.held_as is not None:
        notes.append(f"the picture itself is in the archive, as {harmless(found.held_as)}, and left out")
    if lacking:
        notes.append(f"{lacking:,} cases are not searched: they have no embedding of {found.encoder}")
    if not found.neighbours:
        notes.append("no case is as the filters want it")
    return notes


def _summary(searchable: "Searchable", found: "Found") -> str:
    nearest = "" if found.nearest is None else f"nearest {found.nearest.similarity:.3f} · "
    return f"{nearest}{searchable.archive.count():,} cases, {searchable.archive.version()} · {found.encoder}"


def _show(found: "Found", line: str, *, each: bool) -> None:
    from doubleread.cli.screen import OUT

    if found.neighbours:
        OUT.print(_table(found, each=each))
        OUT.print()
    say(line)


def _table(found: "Found", *, each: bool) -> "Table":
    from rich.text import Text

    shown = table("cosine", "label", "id", "source", right=("cosine",))
    shown.columns[0].no_wrap = shown.columns[2].no_wrap = True
    before = None
    for one in found.neighbours:
        if each and before not in (None, one.label):
            shown.add_section()
        before = one.label
        row = (f"{one.similarity:.3f}", one.label, one.case_id[:SHOWN], Path(one.source).name)
        shown.add_row(*(Text(harmless(cell)) for cell in row))
    return shown


def _write(out: Path, found: "Found", line: str, *, picture: Path | None, each: bool) -> None:
    from doubleread.render.found import found_page

    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, found_page(found, line, picture=picture, each=each))
