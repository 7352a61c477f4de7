"""``doubleread doctor panel``: what a panel asks of this machine."""

from collections.abc import Iterator
from pathlib import Path

import typer
from rich.text import Text

from doubleread.cli.screen import OUT
from doubleread.panel.consent import Ask, allowed, asks_of, refused, remember
from doubleread.panel.panel_folder import PanelFolder, read_panel
from doubleread.settings import Settings

REASONS = {"made here": "allowed: this panel was fitted here", "allowed": "allowed: you allowed it for this panel"}
SAME, REFUSED = "allowed: your settings say the same", "not allowed"


def run_doctor_panel(folder: Path, settings: Settings, *, allow: bool = False) -> None:
    """The answer in one sentence, what happens with each value and whether it may, and what to do."""
    saved = read_panel(folder, settings)
    if allow:
        remember(folder, saved.head.id, saved.asks, "allowed")
    open_ = refused(saved.head.id, saved.asks)
    OUT.print(_answer(saved, open_))
    for line in _lines(saved, open_):
        OUT.print(line)
    if open_:
        tables = ", ".join(f"[{ask.table}]" for ask in open_)
        OUT.print(Text(f"To use values of your own: write them into your settings, under {tables}."))
        OUT.print(Text("To allow all of this for this panel: add --allow-from-panel. It is remembered."))
        raise typer.Exit(1)


def _answer(saved: PanelFolder, open_: list[Ask]) -> Text:
    if open_:
        count = sum(len(ask.values) for ask in open_)
        things = "1 thing that is" if count == 1 else f"{count} things that are"
        return Text(f"{saved.folder} cannot be used yet: it asks for {things} not allowed here.", "bold")
    if asks_of(saved.settings, None):
        return Text(f"{saved.folder} can be used: everything it asks for is allowed here.", "bold")
    return Text(f"{saved.folder} can be used: it asks for nothing outside its own folder.", "bold")


def _lines(saved: PanelFolder, open_: list[Ask]) -> Iterator[Text]:
    """Two for each value: what it is, and what happens with it."""
    beyond = {ask.table: ask for ask in saved.asks}
    record = allowed(saved.head.id)
    for ask in asks_of(saved.settings, None):
        asked = beyond.get(ask.table)
        for name in ask.values:
            if asked is None or name not in asked.values:
                why = SAME
            else:
                why = REFUSED if record is None or asked in open_ else REASONS[record.how]
            mark = ("✗", "dark_orange") if why == REFUSED else ("✓", "green")
            yield Text.assemble(mark, f" {ask.table}.{name} = {ask.shown(name)}")
            yield Text.assemble((f"    {ask.effects[name]}; {why}", "dim"))
