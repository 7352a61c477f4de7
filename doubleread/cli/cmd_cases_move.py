"""``doubleread cases export``, ``import`` and ``merge``: move cases between archives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from doubleread.cli.cases_shared import SHOWN, opened
from doubleread.cli.options import Archive, Reviewer
from doubleread.cli.screen import say, warn_some
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    from doubleread.rag.care.parcel import Taken

app = typer.Typer()

SHOWN_CONFLICTS = 20
Theirs = Annotated[bool, typer.Option("--theirs", help="Where labels differ, take the newcomer's.")]


@app.command("export", epilog="Example: doubleread cases export archive portable --images")
def run_export(
    archive: Archive,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the export.")],
    format: Annotated[
        Literal["jsonl", "parquet"], typer.Option(help="How cases are written; parquet needs the extra of that name.")
    ] = "jsonl",
    images: Annotated[bool, typer.Option("--images", help="Copy the pictures too.")] = False,
) -> None:
    """Write the cases and their embeddings as plain files, for other tools and other machines."""
    from doubleread.rag.care.bundle import export

    with opened(archive) as store:
        done = export(store, folder, format=format, images=images)
    warn_some([f"no picture: {source}" for source in done.gone], "{n:,} more without a picture", SHOWN_CONFLICTS)
    say(f"{done.about.cases:,} cases of {done.about.version}, embeddings of {len(done.about.encoders)} encoders")
    say(f"export: {folder}")


@app.command("import", epilog="Example: doubleread cases import archive portable")
def run_import(
    archive: Archive,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an export.")],
    theirs: Theirs = False,
    reviewer: Reviewer = "",
) -> None:
    """Take an export in; makes the archive where there is none. Nothing is encoded."""
    from doubleread.rag.care.unbundling import import_bundle

    _tell(import_bundle(archive, folder, theirs=theirs, reviewer=reviewer), theirs)


@app.command(epilog="Example: doubleread cases merge archive other-archive")
def merge(
    archive: Archive,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Folder of the archive whose cases are taken in.")],
    theirs: Theirs = False,
    reviewer: Reviewer = "",
) -> None:
    """Take another archive's cases in, with their embeddings. Where labels differ, the archive's own stay."""
    from doubleread.rag.care.parcel import merge as take_in

    with opened(archive) as store, opened(other) as source:
        done = take_in(store, source, theirs=theirs, reviewer=reviewer)
    _tell(done, theirs)


def _tell(done: "Taken", theirs: bool) -> None:
    conflicts = [f"{one.case_id[:SHOWN]}: here {one.ours}, there {one.theirs}" for one in done.conflicts]
    warn_some(conflicts, "{n:,} more", SHOWN_CONFLICTS)
    if done.without:
        warn_user([f"{len(done.without):,} cases were left out: the encoder in use has not read them"])
    if done.repeated:
        warn_user(
            [f"{len(done.repeated):,} ids stood in it more than once, as {done.repeated[0][:SHOWN]}: the first counted"]
        )
    kept = "took theirs" if theirs else "kept the archive's own"
    differently = f", {len(done.conflicts):,} judged differently ({kept})" if done.conflicts else ""
    say(f"{done.added:,} cases added, {done.same:,} were there{differently}")
