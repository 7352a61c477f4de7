"""What the events of a session come to: which images there are, what was read and decided, and what still counts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.sessions.record import Decided, Event, Failed, Image, Reply, Said, Text
from doubleread.sessions.standing import CaseSeen, Standing, Turn

_TALK = ("image", "asked", "said", "reply")
"""The kinds of events that an image is talked about in."""


def standing_of(
    panel: Panel, events: Sequence[Event], picture: Callable[[str], Path], current: str | None, said: int | None = None
) -> Standing:
    """What is known after these events, of a session whose pictures lie where ``picture`` says.

    ``said`` is the number of the words that are to be answered, where some are.
    """
    seen = {
        event.case: _seen(event.case, Image.model_validate(event.data).name, events, picture)
        for event in events
        if event.kind == "image" and event.case is not None
    }
    decided = {event.case: Decided.model_validate(event.data) for event in _decisions(events) if event.case is not None}
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


def _turns(events: Iterable[Event], said: int) -> Iterator[Turn]:
    """The talk before the words of that number, with every reply that there is: they may be replied to in between."""
    for event in events:
        if event.kind == "said" and event.seq < said:
            yield Turn("person", Said.model_validate(event.data).text)
        elif event.kind == "reply":
            blocks = Reply.model_validate(event.data).blocks
            yield Turn("doubleread", "\n".join(line for one in blocks if isinstance(one, Text) for line in one.lines))
        elif event.kind == "failed" and event.reading is None:
            yield Turn("doubleread", Failed.model_validate(event.data).problem)


def _decisions(events: Sequence[Event]) -> list[Event]:
    undone = {event.data["seq"] for event in events if event.kind == "undone"}
    return [event for event in events if event.kind == "decided" and event.seq not in undone]


def _seen(id_: str, name: str, events: Sequence[Event], picture: Callable[[str], Path]) -> CaseSeen:
    case = Case(id=id_, path=picture(id_), source=name)
    verdicts = (Verdict.model_validate(e.data) for e in events if e.kind == "verdict" and e.case == id_)
    return CaseSeen(case, name, tuple(one.model_copy(update={"case": case}) for one in verdicts))
