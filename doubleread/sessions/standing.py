"""The state of a session that actions see, built from its events, and their response."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.sessions.record import Decided, Event, Order, Reply, Text

_TALK = ("image", "asked", "said", "reply")
"""Kinds of events that make an image the current one."""


@dataclass(frozen=True)
class CaseSeen:
    """An image of the session."""

    case: Case
    name: str
    verdicts: tuple[Verdict, ...] = ()
    """The verdict of each finished reading, the latest last."""


@dataclass(frozen=True)
class TalkTurn:
    """A person's message, or the text of a reply."""

    by: Literal["person", "doubleread"]
    text: str


@dataclass(frozen=True)
class Standing:
    """The panel, the session's images in order of arrival, and the conversation and decisions about them."""

    panel: Panel
    cases: Mapping[str, CaseSeen] = field(default_factory=dict)
    """By case id."""
    current: str | None = None
    """The current image; None in a session without images."""
    decided: Mapping[str, str] = field(default_factory=dict)
    """Label a person decided on, by case id, if not undone."""
    deciders: Mapping[str, str] = field(default_factory=dict)
    """Who decided, by case id; empty if no name was given."""
    earlier: tuple[TalkTurn, ...] = ()
    """Earlier messages and replies, the latest last."""


@dataclass(frozen=True)
class Response:
    """The response to a message: a reply, orders to the session, or both."""

    reply: Reply | None = None
    orders: tuple[Order, ...] = ()


Talk = Callable[[str, Standing], Awaitable[Response]]
"""Answers a message. It changes nothing itself."""


def standing_of(
    panel: Panel, events: Sequence[Event], picture: Callable[[str], Path], current: str | None, said: int | None = None
) -> Standing:
    """Builds the state of a session from its events; ``picture`` returns the file of an image.

    ``said`` is the number of the event whose message is to be answered, if any.
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
    """Returns the image last talked about."""
    return next((e.case for e in reversed([*events]) if e.kind in _TALK and e.case is not None), None)


def last_decision(events: Sequence[Event], case: str | None = None) -> Event | None:
    """Returns the last decision that was not undone, on this or any image."""
    return next((event for event in reversed(_decisions(events)) if case in {None, event.case}), None)


def name_of(events: Iterable[Event], case: str) -> str:
    """Returns the name of an image."""
    return next((str(e.data["name"]) for e in events if e.kind == "image" and e.case == case), case[:12])


def _turns(events: Iterable[Event], said: int) -> Iterator[TalkTurn]:
    """Yields messages before event ``said``, and all replies, which may follow it if messages overlapped."""
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
