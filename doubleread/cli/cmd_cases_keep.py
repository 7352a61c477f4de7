"""``doubleread cases snapshot``, ``snapshots``, ``restore``, ``backup`` and ``audit``: protect against data loss."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.cases_shared import opened
from doubleread.cli.screen import OUT, say, table, tell_json, warn
from doubleread.core.notices import warn_user

app = typer.Typer()


@app.command(epilog="Example: doubleread cases snapshot archive before-relabelling")
def snapshot(
    archive: options.Archive,
    name: Annotated[str, typer.Argument(help="A name that no other snapshot has.")],
    note: options.Note = "",
) -> None:
    """Name the archive's state as it is now. It takes no space: every state is on record anyway."""
    with opened(archive) as store:
        made = store.past.snapshot(name, note)
    say(f"{made.name}: {made.version.id}")


@app.command(epilog="Example: doubleread cases snapshots archive")
def snapshots(archive: options.Archive, json: options.AsJson = False) -> None:
    """List the named states."""
    with opened(archive) as store:
        found, now = store.past.snapshots(), store.version()
    if json:
        for one in found:
            tell_json(one.model_dump_json())
        return
    shown = table("name", "version", "time", "note")
    for one in found:
        shown.add_row(Text(one.name), one.version.id, f"{one.time.astimezone():%Y-%m-%d %H:%M}", Text(one.note))
    if found:
        OUT.print(shown)
    say(f"{len(found):,} snapshots · now {now}")


@app.command(epilog="Example: doubleread cases restore archive before-relabelling")
def restore(
    archive: options.Archive,
    name: Annotated[str, typer.Argument(metavar="NAME_OR_VERSION", help="A snapshot, or a version such as v120.")],
    reviewer: options.Reviewer = "",
) -> None:
    """Bring labels, tags and removals back to a state, by new changes. What happened since stays on record."""
    from doubleread.rag.care.case_corrections import restore as back

    with opened(archive) as store:
        done, now = back(store, name, reviewer=reviewer), store.version()
    if done.erased:
        warn_user([f"{done.erased:,} cases of that state were erased since, and stay gone"])
    say(f"{done.changed:,} cases changed back to {done.version.id}; now {now}")


@app.command(epilog="Example: doubleread cases backup archive copies/2026-05-01/archive.sqlite3")
def backup(
    archive: options.Archive, file: Annotated[Path, typer.Argument(help="File to write; must not exist.")]
) -> None:
    """Copy the archive's file, while others read and write. A folder with it, named archive.sqlite3, is an archive."""
    with opened(archive) as store:
        store.contents()  # fail on a damaged file rather than back it up
        store.past.backup(file)
        version = store.version()
    say(f"{version}, {file.stat().st_size / 1e6:,.1f} MB")
    say(f"backup: {file}")


@app.command(epilog="Example: doubleread cases audit archive")
def audit(archive: options.Archive) -> None:
    """Check every change and every embedding. Exit code 1 where something is wrong."""
    from doubleread.rag.care.auditing import audit_file
    from doubleread.rag.stores.ledger_file import LedgerFile

    with closing(LedgerFile(archive, create=False, check=False)) as file:
        problems = audit_file(file)
        for problem in problems:
            warn(problem)
        if problems:
            raise typer.Exit(1)
        version, ((rows,),) = file.version(), file.ask("select count(*) from embeddings")
    say(f"sound: {version.seq:,} changes and {rows:,} embeddings checked, {version.id}")
