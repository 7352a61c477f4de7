"""``doubleread cases export``, ``import`` and ``merge``: move cases between archives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from doubleread.cli.announcements import announce_reading
from doubleread.cli.cases_shared import SHOWN, archive_of, opened
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.options import Archive, Reviewer
from doubleread.cli.screen import note, progress, say, warn_some
from doubleread.core.errors import DataError
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    from doubleread.rag.care.parcel import Taken

app = typer.Typer()

SHOWN_CONFLICTS = 20
Tool = Literal["imagefolder", "coco", "label-studio", "fiftyone"]
Theirs = Annotated[bool, typer.Option("--theirs", help="If labels differ, take those of the import.")]


@app.command("export", epilog="Example: doubleread cases export photos/ for-cvat --to coco")
@grouped
def run_export(
    where: Annotated[
        str,
        typer.Argument(
            metavar="WHERE",
            help="An archive; with --to also a data set, a run's folder, or what `diagnose --json` printed.",
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the export.")],
    *,
    to: Annotated[Tool | None, typer.Option(help="Write the format of another tool, with the images.")] = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Verdicts to write as predictions: a run's folder, or what `diagnose --json` printed."
        ),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="With --to: hard-link the images, do not copy them.")] = False,
    columns: DataColumns,
    format: Annotated[
        Literal["jsonl", "parquet"] | None,
        typer.Option(help="Without --to: format of the cases; jsonl, or parquet, which needs the extra of that name."),
    ] = None,
    images: Annotated[bool, typer.Option("--images", help="Without --to: also copy the images.")] = False,
) -> None:
    """Write cases as plain files for other tools and machines.

    Without --to, an archive's cases and embeddings are written, as `cases import` reads them.

    With --to, the images and labels are written for another tool. A manifest.csv beside them keeps everything.
    """
    if to is not None:
        if format or images:
            raise typer.BadParameter("--format and --images go without --to, which always writes the images")
        _export_to(to, where, folder, verdicts, columns, link)
        return
    if verdicts or link:
        raise typer.BadParameter("--verdicts and --link need --to")
    from doubleread.evals.datasets.archive_dataset import is_archive
    from doubleread.rag.care.bundle import export

    home = archive_of(Path(where))
    if home.exists() and not is_archive(home):
        raise DataError(f"{where} is no archive; to export a data set, name the format of a tool with --to")
    with opened(home) as store:
        done = export(store, folder, format=format or "jsonl", images=images)
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
    """Import an export into an archive, which is created if there is none. Nothing is encoded."""
    from doubleread.rag.care.unbundling import import_bundle

    _tell(import_bundle(archive, folder, theirs=theirs, reviewer=reviewer), theirs)


@app.command(epilog="Example: doubleread cases merge archive other-archive")
def merge(
    archive: Archive,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Folder of the archive whose cases are taken in.")],
    theirs: Theirs = False,
    reviewer: Reviewer = "",
) -> None:
    """Add the cases of another archive with their embeddings. If labels differ, the archive keeps its own."""
    from doubleread.rag.care.parcel import merge as take_in

    with opened(archive) as store, opened(other) as source:
        done = take_in(store, source, theirs=theirs, reviewer=reviewer)
    _tell(done, theirs)


def _export_to(to: str, where: str, folder: Path, verdicts: Path | None, columns: DataColumns, link: bool) -> None:
    from doubleread.evals.exports import FORMATS, export_cases, read_verdicts
    from doubleread.evals.exports.verdict_source import is_verdict_source

    if verdicts and not FORMATS[to].takes_verdicts:
        able = ", ".join(name for name, one in FORMATS.items() if one.takes_verdicts)
        raise typer.BadParameter(f"--verdicts: {to} has no place for predictions; formats that have: {able}")
    given, found = read_verdicts(verdicts) if verdicts else None, None
    if is_verdict_source(Path(where)):
        source = read_verdicts(Path(where))
        cases, problems, given = source.cases, source.problems, given or source
    else:
        found = columns.labelled_with_bar(str(archive_of(Path(where))))
        announce_reading(found)
        cases, problems = found.cases, found.problems
    with progress() as report:
        done = export_cases(cases, folder, to, verdicts=given, problems=problems, link=link, progress=report)
    for line in done.notes:
        note(line)
    told = len(found.problems) if found else 0  # reading has printed these
    warn_some([one.line for one in done.left_out[told:]], "{n:,} more are in left-out.csv", SHOWN_CONFLICTS)
    predicted = f", {done.predictions:,} with a prediction" if given and FORMATS[to].takes_verdicts else ""
    say(f"{done.cases:,} cases exported{predicted}, {len(done.left_out):,} left out")
    say(f"export: {folder}")


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
    differently = f", {len(done.conflicts):,} with another label ({kept})" if done.conflicts else ""
    say(f"{done.added:,} cases added, {done.same:,} were there{differently}")
