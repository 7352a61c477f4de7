"""``doubleread doctor panel``: what a panel asks of this machine."""

from collections.abc import Iterator
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from doubleread.cli.screen import OUT, note, warn
from doubleread.consent import Ask, allowed, asks_of, refused, remember
from doubleread.panel_folder import PanelFolder, read_panel
from doubleread.settings import Settings

REASONS = {"made here": "this panel was fitted here", "allowed": "you allowed it for this panel"}


def run_doctor_panel(folder: Path, settings: Settings, *, allow: bool = False) -> None:
    """The answer in one sentence, a row for each value, and what to do."""
    saved = read_panel(folder, settings)
    if allow:
        remember(folder, saved.id, saved.asks, "allowed")
    open_ = refused(saved.id, saved.asks)
    _say(saved, open_)
    rows = list(_rows(saved, open_))
    if rows:
        OUT.print(_table(rows))
    if open_:
        tables = ", ".join(f"[{ask.table}]" for ask in open_)
        note(f"to use your own values instead, write them into your settings under {tables}")
        note("to allow all of this for this panel, add --allow-from-panel; it is remembered")
        note("a variable named as a key is sent to the address beside it: check that it is the key of that server")
        raise typer.Exit(1)


def _say(saved: PanelFolder, open_: list[Ask]) -> None:
    everything = asks_of(saved.settings, None)
    count = sum(len(ask.values) for ask in open_)
    if open_:
        things = "1 thing that is" if count == 1 else f"{count} things that are"
        warn(f"{saved.folder} asks for {things} not allowed here. It cannot be used until you decide.")
    elif everything:
        note(f"{saved.folder} can be used: everything it asks for is allowed here.")
    else:
        note(f"{saved.folder} can be used: it asks for nothing beyond its own folder.")


def _rows(saved: PanelFolder, open_: list[Ask]) -> Iterator[tuple[Ask, str, str]]:
    """Each value with why it is allowed; an empty reason where it is not."""
    asked = {ask.table: ask for ask in saved.asks}
    record = allowed(saved.id)
    reason = REASONS[record.how] if record is not None else ""
    for ask in asks_of(saved.settings, None):
        beyond = asked.get(ask.table)
        for name in ask.values:
            if beyond is None or name not in beyond.values:
                yield ask, name, "your settings say the same"
            else:
                yield ask, name, "" if beyond in open_ else reason


def _table(rows: list[tuple[Ask, str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    for name in ("", "setting", "value", "what happens", "allowed because"):
        table.add_column(name, overflow="fold")
    for ask, name, why in rows:
        mark = Text("✓", "green") if why else Text("✗", "dark_orange")
        told = f"{ask.table}.{name}", ask.shown(name), ask.effects[name], why or "not allowed"
        table.add_row(mark, *map(Text, told))
    return table
