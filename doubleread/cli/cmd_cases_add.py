"""``doubleread cases add | sync``: labelled cases into an archive."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="Folder of the archive; made where there is none.")]
Data = Annotated[str, typer.Argument(help="A folder with a sub-folder a label, a manifest, or another archive.")]
Encoder = Annotated[str | None, typer.Option(help="auto (an archive's own, where there is one), efficientnet-lite0, …")]
Group = Annotated[str | None, typer.Option(help="What must stay together; as for `fit`.")]
LabelColumn = Annotated[str, typer.Option(help="Column of a manifest that holds the label.")]
PathColumn = Annotated[str, typer.Option(help="Column of a manifest that holds the image's path.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Tag for every case, besides a column `tags`; repeatable.")
]
Reviewer = Annotated[str, typer.Option(help="Who vouches for the labels.")]
Origin = Annotated[
    str, typer.Option(help="Name the cases are kept under, for later syncs.", show_default="the data set's")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit code 1 where a row was left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="The result as one JSON object.")]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="Settings file; see `doubleread settings`.")]


def add(
    archive: Folder,
    data: Data,
    group: Group = None,
    label_column: LabelColumn = "label",
    path_column: PathColumn = "path",
    tag: Tags = None,
    reviewer: Reviewer = "",
    origin: Origin = "",
    strict: Strict = False,
    json: AsJson = False,
    encoder: Encoder = None,
    settings: SettingsFile = None,
) -> None:
    """Add labelled images to an archive; those that are there with other labels or groups are rewritten.

    What people corrected in the archive stays as they left it. Stopped, it goes on where it was.
    """
    from doubleread.cli.ingesting import Given, run_ingest
    from doubleread.cli.options import settings_of

    given = Given(data, group, label_column, path_column, origin, reviewer, tuple(tag or ()))
    run_ingest(archive, given, settings_of(settings, encoder), prune=None, strict=strict, as_json=json)


def sync(
    archive: Folder,
    data: Data,
    prune: Annotated[bool, typer.Option("--prune", help="Remove cases that the data set no longer has.")] = False,
    group: Group = None,
    label_column: LabelColumn = "label",
    path_column: PathColumn = "path",
    tag: Tags = None,
    reviewer: Reviewer = "",
    origin: Origin = "",
    strict: Strict = False,
    json: AsJson = False,
    encoder: Encoder = None,
    settings: SettingsFile = None,
) -> None:
    """Make an archive follow a data set: what is new is added, what changed rewritten, what is gone counted.

    Removed cases are found no more, and their record stays.
    """
    from doubleread.cli.ingesting import Given, run_ingest
    from doubleread.cli.options import settings_of

    given = Given(data, group, label_column, path_column, origin, reviewer, tuple(tag or ()))
    run_ingest(archive, given, settings_of(settings, encoder), prune=prune, strict=strict, as_json=json)
