"""``doubleread cases find``: the stored cases most similar to a picture or a text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.cases_shared import SHOWN
from doubleread.cli.option_groups import CaseFilters, grouped
from doubleread.cli.screen import OUT, note, say, table, tell_json
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError
from doubleread.core.terminal_text import harmless

if TYPE_CHECKING:
    from doubleread.panel.archives import Searchable
    from doubleread.rag.case_search import SimilarCases

app = typer.Typer()


@app.command(epilog='Example: doubleread cases find archive leaf.jpg, or: cases find archive --text "orange spots"')
@grouped
def find(
    archive: options.Archive,
    image: Annotated[Path | None, typer.Argument(metavar="IMAGE", help="Image file to search for.")] = None,
    *,
    text: Annotated[
        str | None, typer.Option(help="Text to search for instead; needs an encoder for text, such as CLIP.")
    ] = (None),
    k: Annotated[int, typer.Option("-k", min=1, help="Number of cases.")] = 10,
    each: Annotated[bool, typer.Option("--each", help="Find -k cases of every label, for contrast.")] = False,
    filters: CaseFilters,
    encoder: Annotated[
        str | None, typer.Option(help="One of the archive's encoders, by name or fingerprint; see `cases stats`.")
    ] = None,
    json: options.AsJson = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Also write a page with the pictures (.html).")] = (
        None
    ),
    settings: options.SettingsFile = None,
) -> None:
    """Find the cases most similar to an image or a text. The image itself is left out."""
    from doubleread.panel.archives import open_searchable, query_of

    if out is not None and out.suffix.lower() != ".html":
        raise DataError(f"{out} does not end in .html: name the page so")
    if image is not None and not image.exists():
        raise DataError(f'there is no picture {image}: to look for words, write --text "{image}"')
    query, wanted = query_of(image, text), filters.wanted()
    with open_searchable(archive, options.settings_of(settings, encoder)) as searchable:
        found = searchable.find(query, k=k, each=each, wanted=wanted)
        for line in _notes(searchable, found):
            note(line)
        line = _summary(searchable, found)
    if json:
        tell_json(found.model_dump_json())
    else:
        _show(found, line, each=each)
    if out is not None:
        _write(out, found, line, picture=image, each=each)
        note(f"page: {out}")


def _notes(searchable: "Searchable", found: "SimilarCases") -> list[str]:
    """Returns notes on what the result itself does not show."""
    lacking = searchable.archive.ledger.count() - searchable.archive.count()
    notes = [f"encoder: {searchable.choice.name}: {searchable.choice.reason}"]
    if found.held_as is not None:
        notes.append(f"the picture itself is in the archive, as {harmless(found.held_as)}, and left out")
    if lacking:
        notes.append(f"{lacking:,} cases are not searched: they have no embedding of {found.encoder}")
    if not found.neighbours:
        notes.append("no case matches the filters")
    return notes


def _summary(searchable: "Searchable", found: "SimilarCases") -> str:
    nearest = "" if found.nearest is None else f"nearest {found.nearest.similarity:.3f} · "
    return f"{nearest}{searchable.archive.count():,} cases, {searchable.archive.version()} · {found.encoder}"


def _show(found: "SimilarCases", line: str, *, each: bool) -> None:
    if found.neighbours:
        OUT.print(_table(found, each=each))
        OUT.print()
    say(line)


def _table(found: "SimilarCases", *, each: bool) -> Table:
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


def _write(out: Path, found: "SimilarCases", line: str, *, picture: Path | None, each: bool) -> None:
    from doubleread.render.html import found_page

    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, found_page(found, line, picture=picture, each=each))
