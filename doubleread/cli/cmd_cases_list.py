"""``doubleread cases list``, ``show``, ``stats`` and ``history``: what an archive holds and how it changed."""

import json as json_text
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.cases_shared import SHOWN, opened
from doubleread.cli.option_groups import CaseFilters, grouped
from doubleread.cli.screen import OUT, facts_table, note, say, table, tell_json

if TYPE_CHECKING:
    from doubleread.core.stored import Change, StoredCase
    from doubleread.rag.care.statistics import ArchiveStatistics

app = typer.Typer()

PAGE = 50
THUMBNAIL = 32


@app.command("list", epilog="Example: doubleread cases list archive --label rust --since 2026-05-01")
@grouped
def show_list(
    archive: options.Archive,
    *,
    filters: CaseFilters,
    removed: Annotated[bool, typer.Option("--removed", help="List removed cases instead.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help=f"At most so many; tables show {PAGE} unless told.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each case.")] = False,
) -> None:
    """List cases, newest first."""
    from doubleread.cli.cases_table import print_cases
    from doubleread.rag.care.listing import listed

    wanted = filters.wanted()
    with opened(archive) as store:
        found = listed(store, wanted, removed=removed, limit=limit or (None if json else PAGE))
    if json:
        for one in found.cases:
            tell_json(one.model_dump_json())
        return
    if found.cases:
        print_cases(found.cases, OUT)
    shown = f"{len(found.cases):,} of {found.total:,}" if len(found.cases) < found.total else f"{found.total:,}"
    note(f"{shown} {'removed cases' if removed else 'cases'}")


@app.command(epilog="Example: doubleread cases show archive 3f9a0c")
def show(archive: options.Archive, ids: options.CaseIds, json: options.AsJson = False) -> None:
    """Show a case with its history, and its picture if the terminal has colours."""
    from doubleread.rag.care.listing import whole_ids

    with opened(archive) as store:
        for one in store.ledger.records(whole_ids(store, ids), removed=True):
            changes = store.past.history(one.case.id)
            if json:
                told = [change.model_dump(mode="json") for change in changes]
                tell_json(json_text.dumps({**one.model_dump(mode="json"), "history": told}, ensure_ascii=False))
            else:
                _show_one(one, changes)


@app.command(epilog="Example: doubleread cases stats archive")
def stats(archive: options.Archive, json: options.AsJson = False) -> None:
    """Count the cases of each label, and how often the nearest case of another group has the same label."""
    from doubleread.rag.care.statistics import statistics

    with opened(archive) as store:
        found = statistics(store)
    if json:
        tell_json(found.model_dump_json())
        return
    OUT.print(_labels(found))
    OUT.print()
    OUT.print(_encoders(found))
    say(f"\n{found.cases:,} cases, {found.removed:,} removed · {found.version} · {found.bytes / 1e6:,.1f} MB on disk")


@app.command(epilog="Example: doubleread cases history archive 3f9a0c")
def history(
    archive: options.Archive,
    case: Annotated[str | None, typer.Argument(metavar="[ID]", help="Case to show; by default all.")] = None,
    json: options.AsJson = False,
) -> None:
    """Show the history, oldest first: who changed what, when and why."""
    from doubleread.rag.care.listing import whole_id

    with opened(archive) as store:
        changes = store.past.history(whole_id(store, case, erased=True) if case else None)
        version = store.version()
    if json:
        for one in changes:
            tell_json(one.model_dump_json())
        return
    OUT.print(_changes(changes))
    say(f"\n{len(changes):,} changes · now {version}")


def _show_one(one: "StoredCase", changes: "Sequence[Change]") -> None:
    from doubleread.render.preview import Preview

    colours = OUT.is_terminal and OUT.color_system in ("256", "truecolor")
    picture = Preview().file(one.case.path, one.case.id, THUMBNAIL) if colours else None
    if picture is not None:
        OUT.print(picture)
    OUT.print(facts_table(_facts(one)))
    OUT.print(_changes(changes))
    OUT.print()


def _facts(one: "StoredCase") -> list[tuple[str, str]]:
    case = one.case
    gone = "" if case.path is None or case.path.is_file() else " (gone)"
    return [
        ("id", case.id),
        ("label", one.label + (" (removed)" if one.removed else "")),
        ("group", case.group or ""),
        ("split", case.split or ""),
        ("tags", ", ".join(one.tags)),
        ("source", case.source),
        ("picture", "" if case.path is None else f"{case.path}{gone}"),
        ("added", _when(one.added)),
        ("origin", one.origin),
        ("reviewer", one.reviewer),
        *case.metadata.items(),
    ]


def _changes(changes: "Sequence[Change]") -> Table:
    shown = table("change", "time", "case", "what", "label", "reviewer", "note", right=("change",))
    for column in shown.columns[:4]:
        column.no_wrap = True
    for one in changes:
        label = f"{one.before} → {one.after}" if one.what == "relabelled" else one.after
        text = (one.case_id[:SHOWN], one.what, label, one.reviewer, one.note)
        shown.add_row(str(one.seq), _when(one.time), *map(Text, text))
    return shown


def _labels(found: "ArchiveStatistics") -> Table:
    numbers = ("cases", "share", "groups", "removed", "nearest agrees")
    shown = table("label", *numbers, right=numbers)
    for one in found.labels:
        agrees = f"{one.agreeing / one.asked:.1%} of {one.asked:,}" if one.asked else "–"
        shown.add_row(
            Text(one.label), f"{one.cases:,}", f"{one.share:.1%}", f"{one.groups:,}", f"{one.removed:,}", agrees
        )
    return shown


def _encoders(found: "ArchiveStatistics") -> Table:
    shown = table("encoder", "fingerprint", "length", "cases", "", right=("length", "cases"))
    for one in found.encoders:
        shown.add_row(
            Text(one.name or "–"), Text(one.fingerprint), str(one.dim), f"{one.cases:,} of {found.cases:,}",
            "in use" if one.active else "",
        )  # fmt: skip
    return shown


def _when(time: datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}"
