"""What the commands of ``doubleread cases`` share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from doubleread.core.stored import Wanted
    from doubleread.rag.stores.archive import Archive

Folder = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="Folder of the archive.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A case: at least 6 digits of its id.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Cases: at least 6 digits of each id.")]
Reviewer = Annotated[str, typer.Option(help="Who says so; goes on record.")]
Note = Annotated[str, typer.Option(help="Why; goes on record.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
OnlyLabels = Annotated[list[str] | None, typer.Option("--label", help="Only this label; repeatable.")]
OnlyTags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only cases with this tag; repeated: with all of them.")
]
OnlyGroups = Annotated[list[str] | None, typer.Option("--group", help="Only this group; repeatable.")]
OnlySplits = Annotated[list[str] | None, typer.Option("--split", help="Only this split; repeatable.")]
Since = Annotated[datetime | None, typer.Option(help="Added then or later.")]
Until = Annotated[datetime | None, typer.Option(help="Added before then.")]

SHOWN = 12
"""Digits of an id that tables show."""


@contextmanager
def opened(folder: Path) -> "Iterator[Archive]":
    """The archive as it lies there, by the encoder it is searched by; closed in the end."""
    from doubleread.rag.stores.archive import Archive

    with Archive.existing(folder) as archive:
        yield archive


def wanted_of(
    labels: Sequence[str] | None,
    tags: Sequence[str] | None,
    groups: Sequence[str] | None,
    splits: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> "Wanted":
    """What the filters of a command ask for."""
    from doubleread.core.stored import Wanted

    names = {"labels": labels, "tags": tags, "groups": groups, "splits": splits}
    return Wanted(**{key: frozenset(value or ()) for key, value in names.items()}, since=since, until=until)


def table(*columns: str, right: tuple[str, ...] = ()) -> "Table":
    """An empty table in the look of all others."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(header_style="dim", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return made


def say(text: str) -> None:
    """A result for people, in one line however long."""
    from doubleread.cli.screen import OUT

    OUT.print(text, markup=False, highlight=False, soft_wrap=True)


def say_json(text: str) -> None:
    """A result for programs, as it is."""
    from doubleread.cli.screen import tell_json

    tell_json(text)
