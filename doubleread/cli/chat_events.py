"""What happens in a session, each in a line."""

from typing import Any

from rich.text import Text

from doubleread.core.evidence import Evidence
from doubleread.core.terminal_text import tamed
from doubleread.sessions.record import Asked, Decided, Event, Failed, Image, Said, Undone, Waiting

CASES = 5


def tame(event: Event) -> Event:
    """The event with nothing in its texts that would steer a terminal, whoever wrote them."""
    return event.model_copy(update={"data": tamed(event.data)})


def happened(event: Event) -> Text:
    """A line about an event that is neither a verdict nor a reply; its texts must be tame."""
    return _LINES[event.kind](event.data)


def _image(data: Any) -> Text:
    image = Image.model_validate(data)
    return Text.assemble(("+ ", "cyan"), (image.name, "bold"), (f"  {image.width}×{image.height}", "dim"))


def _asked(data: Any) -> Text:
    asked = Asked.model_validate(data)
    again = "second look: " if asked.round > 1 else ""
    told = f", with the hint “{asked.how.hint}”" if asked.how.hint else ""
    return Text(f"  {again}asking {', '.join(asked.agents)}{told}", style="dim")


def _evidence(data: Any) -> Text:
    evidence = Evidence.model_validate(data)
    found, what = (evidence.contrast, "to compare") if evidence.contrast else (evidence.neighbours, "similar cases")
    shown = ", ".join(f"{one.label} {one.similarity:.2f}" for one in found[:CASES]) or "none"
    return Text(f"  {what}: {shown}{', …' if len(found) > CASES else ''}", style="dim")


def _answer(data: Any) -> Text:
    again = " again" if data["round"] > 1 else ""
    if "cause" in data:
        return Text(f"  – {data['agent']}{again} abstains: {data['detail'] or data['cause']}", style="dim")
    return Text.assemble(("  ✓ ", "green"), f"{data['agent']}{again}: ", (data["label"], "bold"))


def _waiting(data: Any) -> Text:
    waiting = Waiting.model_validate(data)
    return Text.assemble(("⚑ ", "dark_orange"), f"{waiting.name} waits for a person: /decide LABEL")


def _decided(data: Any) -> Text:
    decided = Decided.model_validate(data)
    kept = f"; only this session keeps it: {decided.kept}" if decided.kept else "; trust and archive have it"
    by = f" by {decided.reviewer}" if decided.reviewer else ""
    return Text.assemble(("✓ ", "green"), "decided: ", (decided.label, "bold"), by, (kept, "dim"))


def _said(data: Any) -> Text:
    return Text(f"> {Said.model_validate(data).text}", style="bold")


def _undone(data: Any) -> Text:
    undone = Undone.model_validate(data)
    by = f" by {undone.reviewer}" if undone.reviewer else ""
    return Text.assemble(("↶ ", "cyan"), f"taken back{by}: {undone.what}")


def _failed(data: Any) -> Text:
    return Text.assemble(("✗ ", "red"), Failed.model_validate(data).problem)


_LINES = {
    "image": _image,
    "asked": _asked,
    "evidence": _evidence,
    "answer": _answer,
    "waiting": _waiting,
    "decided": _decided,
    "said": _said,
    "undone": _undone,
    "failed": _failed,
}
