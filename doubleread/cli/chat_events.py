"""Formats session events as single lines."""

from functools import singledispatch
from typing import Any

from rich.text import Text

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Opinion
from doubleread.core.terminal_text import tamed
from doubleread.sessions.record import Asked, Decided, Event, Failed, Image, Said, Undone, Waiting

CASES = 5


def tame(event: Event) -> Event:
    """Returns the event with terminal control characters removed from its texts."""
    return event.model_copy(update={"data": tamed(event.data)})


@singledispatch
def happened(what: Any) -> Text:
    """Returns a line about the event's record, which is neither a verdict nor a reply; its texts must be tame."""
    raise TypeError(f"no line is told of a {type(what).__name__}")


@happened.register
def _(what: Image) -> Text:
    return Text.assemble(("+ ", "cyan"), (what.name, "bold"), (f"  {what.width}×{what.height}", "dim"))


@happened.register
def _(what: Asked) -> Text:
    told = f", with the hint “{what.how.hint}”" if what.how.hint else ""
    return Text(f"  {'second look: ' if what.round > 1 else ''}asking {', '.join(what.agents)}{told}", style="dim")


@happened.register
def _(what: Evidence) -> Text:
    found, kind = (what.contrast, "to compare") if what.contrast else (what.neighbours, "similar cases")
    shown = ", ".join(f"{one.label} {one.similarity:.2f}" for one in found[:CASES]) or "none"
    return Text(f"  {kind}: {shown}{', …' if len(found) > CASES else ''}", style="dim")


@happened.register
def _(what: Abstention) -> Text:
    return Text(f"  – {what.agent}{_again(what.round)} gave no answer: {what.detail or what.cause}", style="dim")


@happened.register
def _(what: Opinion) -> Text:
    return Text.assemble(("  ✓ ", "green"), f"{what.agent}{_again(what.round)}: ", (what.label, "bold"))


@happened.register
def _(what: Waiting) -> Text:
    return Text.assemble(("⚑ ", "dark_orange"), f"{what.name} needs a person: /decide LABEL")


@happened.register
def _(what: Decided) -> Text:
    kept = f"; kept in this session only: {what.kept}" if what.kept else "; the panel learns from it"
    return Text.assemble(("✓ ", "green"), "decided: ", (what.label, "bold"), _by(what.reviewer), (kept, "dim"))


@happened.register
def _(what: Said) -> Text:
    return Text(f"> {what.text}", style="bold")


@happened.register
def _(what: Undone) -> Text:
    return Text.assemble(("↶ ", "cyan"), f"undone{_by(what.reviewer)}: {what.what}")


@happened.register
def _(what: Failed) -> Text:
    return Text.assemble(("✗ ", "red"), what.problem)


def _again(round_: int) -> str:
    return " again" if round_ > 1 else ""


def _by(reviewer: str) -> str:
    return f" by {reviewer}" if reviewer else ""
