"""``doubleread cases add | sync``: adds labelled cases to an archive."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from doubleread.cli import options
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import OUT, note, progress, say, tell_json, warn_some
from doubleread.core.notices import first_few, warn_user

if TYPE_CHECKING:
    from doubleread.rag.ingest import Ingested

app = typer.Typer()

SHOWN_COPIES = 3
_ROWS = {
    "added": "new",
    "changed": "rewritten: label, group, split, path, tags or metadata",
    "unchanged": "there already",
    "kept": "corrected, removed or erased in the archive; not changed",
    "duplicates": "the same image again, here or from another source",
    "encoded": "already there, and now encoded by the encoder in use",
    "near_copies": "new images that are almost the same as another; added",
    "unusual": "dark, blurred, flat, over-bright, tiny or oddly shaped; added",
    "gone": "no longer in the data set",
    "removed": "of these, removed",
    "problems": "left out",
}

Folder = Annotated[Path, typer.Argument(help="Folder of the archive; created if there is none.")]
Data = Annotated[
    str, typer.Argument(help="A folder with one sub-folder for each label, a manifest, or another archive.")
]


@dataclass(frozen=True)
class IntakeOptions(DataColumns):
    """Options for adding cases to an archive."""

    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="Tag for every case, besides a column `tags`; repeatable.")
    ] = None
    reviewer: Annotated[str, typer.Option(help="Name of the person who vouches for the labels.")] = ""
    origin: Annotated[str, typer.Option(help="Name of the source, for later syncs.", show_default="the data set's")] = (
        ""
    )
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if a row was skipped.")] = False
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False
    encoder: Annotated[
        str | None, typer.Option(help="auto (an archive's own, where there is one), efficientnet-lite0, …")
    ] = None
    settings: options.SettingsFile = None


@app.command(epilog="Example: doubleread cases add archive photos/ --tag greenhouse --reviewer ada")
@grouped
def add(archive: Folder, data: Data, *, given: IntakeOptions) -> None:
    """Add labelled images to an archive; cases with other labels or groups are updated.

    Corrections by people are kept. The same command resumes.
    """
    _run(archive, data, given, prune=None)


@app.command(epilog="Example: doubleread cases sync archive photos/ --prune")
@grouped
def sync(
    archive: Folder,
    data: Data,
    *,
    prune: Annotated[bool, typer.Option("--prune", help="Remove cases that the data set no longer has.")] = False,
    given: IntakeOptions,
) -> None:
    """Bring an archive up to date with a data set: add new cases, update changed ones, count missing ones.

    Removed cases are no longer found; their history stays.
    """
    _run(archive, data, given, prune=prune)


def _run(folder: Path, data: str, given: IntakeOptions, *, prune: bool | None) -> None:
    """``prune``: whether cases missing from the data set are removed; None for ``add``, which does not check.

    Exits with code 1 if ``strict`` and rows were left out.
    """
    found = _ingested(folder, data, given, prune)
    if given.json:
        tell_json(found.model_dump_json())
    else:
        _show(found, folder)
    _warn(found, prune)
    if given.strict and found.problems:
        raise typer.Exit(1)


def _ingested(folder: Path, data: str, given: IntakeOptions, prune: bool | None) -> "Ingested":
    from doubleread.panel.archives import open_intake
    from doubleread.rag.arrivals import IngestSource
    from doubleread.rag.ingest import gone, ingest, remove

    with open_intake(folder, options.settings_of(given.settings, given.encoder)) as intake:
        encoder = f"encoder {intake.choice.name}: {intake.choice.reason}"
        warn_user([encoder]) if intake.choice.fallback else note(encoder)
        dataset = given.labelled_with_bar(data)
        for line in filter(None, (f"{dataset.name}: {len(dataset.cases)} images", dataset.accounting, *dataset.notes)):
            note(line)
        source = IngestSource(origin=given.origin or dataset.name, reviewer=given.reviewer, tags=tuple(given.tag or ()))
        with intake.archive() as archive, progress() as report:
            found = ingest(archive, dataset.cases, intake.embedder, source, partial(report, "adding cases"))
            problems, duplicates = (*dataset.problems, *found.problems), found.duplicates + dataset.copies
            found = found.model_copy(update={"problems": problems, "duplicates": duplicates})
            if prune is None:
                return found
            lost = gone(archive, source.origin, dataset.cases, found.problems)
            if prune:
                remove(archive, source, lost)
            counts = {"gone": len(lost), "removed": len(lost) if prune else 0, "version": archive.version()}
            return found.model_copy(update=counts)


def _show(found: "Ingested", folder: Path) -> None:
    table = Table(title=escape(f"{found.origin} → {folder}"), title_justify="left", show_header=False, box=SIMPLE_HEAD)
    table.add_column("count", justify="right")
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("what", style="dim")
    for name, what in _ROWS.items():
        value = getattr(found, name)
        count = value if isinstance(value, int) else len(value)
        if count or name == "added":
            table.add_row(f"{count:,}", name, what)
    OUT.print(table)
    say(f"archive: {folder} at {found.version}")


def _warn(found: "Ingested", prune: bool | None) -> None:
    from doubleread.rag.images.picture_quality import unusual_pictures

    warn_user(first_few([one.line for one in found.problems], "{n:,} more rows skipped"))
    copies = [f"almost the same image: {new} and {other}" for new, other in found.near_copies]
    warn_some(copies, "{n} more such pairs; --json lists them all", SHOWN_COPIES)
    warn_user(unusual_pictures([one.signs for one in found.unusual], [one.source for one in found.unusual]))
    if found.gone and not prune:
        warn_user([f"{found.gone} cases of {found.origin} are no longer in the data set: --prune removes them"])
