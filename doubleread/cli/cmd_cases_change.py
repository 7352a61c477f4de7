"""``doubleread cases relabel``, ``tag``, ``delete`` and ``undo``: corrections, each kept in the history."""

from typing import Annotated

import typer

from doubleread.cli import options
from doubleread.cli.cases_shared import SHOWN, opened
from doubleread.cli.screen import say
from doubleread.core.errors import StoreError
from doubleread.core.label_text import normal
from doubleread.core.notices import warn_user

app = typer.Typer()


@app.command(epilog="Example: doubleread cases relabel archive 3f9a0c scab --reviewer Ada")
def relabel(
    archive: options.Archive,
    case: options.CaseId,
    label: Annotated[str, typer.Argument(help="The true label.")],
    reviewer: options.Reviewer = "",
    note: options.Note = "",
) -> None:
    """Change the label of a case; the old one stays in its history."""
    from doubleread.rag.care.case_corrections import relabel as change
    from doubleread.rag.care.listing import whole_id

    label = normal(label)
    with opened(archive) as store:
        before = change(store, whole_id(store, case), label, reviewer=reviewer, note=note)
        known = store.file.ask("select 1 from cases where label = ? and id != ? limit 1", [label, before.case.id])
    if before.label == label:
        say(f"{before.case.id[:SHOWN]} is {label} already")
        return
    if not known:
        warn_user([f"{label!r} is a new label: no other case of the archive has it"])
    say(f"{before.case.id[:SHOWN]}: {before.label} → {label}")


@app.command(epilog="Example: doubleread cases tag archive 3f9a0c 77ab01 --add textbook --remove blurred")
def tag(
    archive: options.Archive,
    ids: options.CaseIds,
    add: Annotated[list[str] | None, typer.Option(help="Tag to add; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Tag to remove; repeatable.")] = None,
) -> None:
    """Add tags to cases, or remove them."""
    from doubleread.rag.care.case_corrections import tag as change
    from doubleread.rag.care.listing import whole_ids

    if not add and not remove:
        raise StoreError("no tag was named: give --add TAG or --remove TAG")
    with opened(archive) as store:
        changed = change(store, whole_ids(store, ids), add=add or (), remove=remove or ())
    say(f"{changed:,} cases changed")


@app.command(epilog="Example: doubleread cases delete archive 3f9a0c --note 'not a leaf'")
def delete(
    archive: options.Archive,
    ids: options.CaseIds,
    reviewer: options.Reviewer = "",
    note: options.Note = "",
    erase: Annotated[bool, typer.Option("--erase", help="Delete history and embeddings for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove cases from every search. Their history stays, and `undo` restores them, unless erased."""
    from doubleread.rag.care.listing import whole_ids

    with opened(archive) as store:
        chosen = whole_ids(store, ids, erased=erase)
        if not erase:
            there = len(store.get(chosen))
            store.remove(chosen, reviewer=reviewer, note=note)
            say(f"{there:,} cases removed" + (f", {len(chosen) - there:,} were already" * (there < len(chosen))))
            return
        if not yes:
            typer.confirm(f"Erase {len(chosen):,} cases for good?", abort=True, err=True)
        if not store.erase(chosen, reviewer=reviewer, note=note):
            warn_user(
                ["another process holds the index: its files keep the embeddings until it ends and the next one opens"]
            )
        say(f"{len(chosen):,} cases erased; backups and exports made before still hold them")


@app.command(epilog="Example: doubleread cases undo archive")
def undo(
    archive: options.Archive,
    case: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The case; by default the one that changed last.")
    ] = None,
    reviewer: options.Reviewer = "",
    note: options.Note = "",
) -> None:
    """Undo the last change of a case, as a new change; a second undo redoes it."""
    from doubleread.rag.care.case_corrections import undo as back
    from doubleread.rag.care.listing import whole_id

    with opened(archive) as store:
        done = back(store, whole_id(store, case) if case else None, reviewer=reviewer, note=note)
    now = f"{done.after.label}{' (removed)' if done.after.removed else ''}"
    say(f"{done.after.case.id[:SHOWN]}: took back {done.what}; it is {now} now")
