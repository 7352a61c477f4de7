"""What is known where someone speaks in a session, as its events tell, and what comes back to them."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.sessions.record import Decided, Event, Order, Reply, Text

_TALK = ("image", "asked", "said", "reply")
"""The kinds of events that an image is talked about in."""


@dataclass(frozen=True)
class CaseSeen:
    """An image of the session."""

    case: Case
    name: str
    verdicts: tuple[Verdict, ...] = ()
    """Of each reading that ended, the last one last."""


@dataclass(frozen=True)
class TalkTurn:
    """What a person said, or the text of what was replied."""

    by: Literal["person", "doubleread"]
    text: str


@dataclass(frozen=True)
class Standing:
    """The panel, the session's images in the order they came, and what was said and decided of them."""

    panel: Panel
    cases: Mapping[str, CaseSeen] = field(default_factory=dict)
    """By case id."""
    current: str | None = None
    """The image that is talked about; None in a session without images."""
    decided: Mapping[str, str] = field(default_factory=dict)
    """Case id → the label that a person decided on, where that still counts."""
    deciders: Mapping[str, str] = field(default_factory=dict)
    """Case id → who decided that; empty where no name was given."""
    earlier: tuple[TalkTurn, ...] = ()
    """What was said and replied before, the latest last."""


@dataclass(frozen=True)
class Response:
    """What comes of someone's words: a reply, orders to the session, or both."""

    reply: Reply | None = None
    orders: tuple[Order, ...] = ()


Talk = Callable[[str, Standing], Awaitable[Response]]
"""Makes of someone's words what comes of them. It changes nothing itself."""


def standing_of(
    panel: Panel, events: Sequence[Event], picture: Callable[[str], Path], current: str | None, said: int | None = None
) -> Standing:
    """What is known after these events, of a session whose pictures lie where ``picture`` says.

    ``said`` is the number of the words that are to be answered, where some are.
    """
    seen = {
        event.case: _seen(event.case, event.what.name, events, picture)
        for event in events
        if event.kind == "image" and event.case is not None
    }
    decided: dict[str, Decided] = {event.case: event.what for event in _decisions(events) if event.case is not None}
    return Standing(
        panel=panel,
        cases=seen,
        current=current or talked_about(events),
        decided={case: one.label for case, one in decided.items()},
        deciders={case: one.reviewer for case, one in decided.items()},
        earlier=() if said is None else tuple(_turns(events, said)),
    )


def talked_about(events: Iterable[Event]) -> str | None:
    """The image that was talked about last."""
    return next((e.case for e in reversed([*events]) if e.kind in _TALK and e.case is not None), None)


def last_decision(events: Sequence[Event], case: str | None = None) -> Event | None:
    """The last decision that still counts, on any image or on this one."""
    return next((event for event in reversed(_decisions(events)) if case in {None, event.case}), None)


def name_of(events: Iterable[Event], case: str) -> str:
    """What an image is called."""
    return next((str(e.data["name"]) for e in events if e.kind == "image" and e.case == case), case[:12])


def _turns(events: Iterable[Event], said: int) -> Iterator[TalkTurn]:
    """The talk before the words of that number, with every reply that there is: they may be replied to in between."""
    for event in events:
        if event.kind == "said" and event.seq < said:
            yield TalkTurn("person", event.what.text)
        elif event.kind == "reply":
            texts = (block for block in event.what.blocks if isinstance(block, Text))
            yield TalkTurn("doubleread", "\n".join(line for one in texts for line in one.lines))
        elif event.kind == "failed" and event.reading is None:
            yield TalkTurn("doubleread", event.what.problem)


def _decisions(events: Sequence[Event]) -> list[Event]:
    undone = {event.data["seq"] for event in events if event.kind == "undone"}
    return [event for event in events if event.kind == "decided" and event.seq not in undone]


def _seen(id_: str, name: str, events: Sequence[Event], picture: Callable[[str], Path]) -> CaseSeen:
    case = Case(id=id_, path=picture(id_), source=name)
    verdicts = (e.what for e in events if e.kind == "verdict" and e.case == id_)
    return CaseSeen(case, name, tuple(one.model_copy(update={"case": case}) for one in verdicts))
