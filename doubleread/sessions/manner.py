"""An image read otherwise than the panel was fitted: who is asked, and what the verdict then says of itself."""

from collections.abc import Iterator
from dataclasses import replace

from doubleread.core.errors import SessionError, UnknownPart
from doubleread.orchestrator.seats import Seats
from doubleread.sessions.record import How

PLAIN = How()


def check(how: How, agents: tuple[str, ...]) -> None:
    """Raises ``UnknownPart`` for an agent that is not of the panel, ``SessionError`` where nobody would be asked."""
    for name in (*how.without, *how.only):
        if name not in agents:
            raise UnknownPart("agent", name, agents)
    if not _asked(how, agents):
        raise SessionError(f"nobody is left to read the image: the panel has {', '.join(agents)}; ask at least one")


def seated(how: How, seats: Seats) -> Seats:
    """The seats as they are to be; trust stays what it is. Raises ``SessionError`` where no agent sees the image."""
    if how == PLAIN:
        return seats
    fewer = seats.with_only(_asked(how, (*seats.agents, *seats.referees)))
    if not fewer.agents:
        raise SessionError(
            f"{', '.join(fewer.referees)} would be asked alone, but only weighs what others say: ask one that reads"
        )
    spared = set(fewer.spared)
    changed = replace(fewer, at_once=bool(how.only) or spared.issuperset(fewer.agents), look_again=how.look_again)
    return replace(changed, warnings=(*seats.warnings, *_warnings(how, changed)))


def _asked(how: How, agents: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in how.only or agents if name not in how.without)


def _warnings(how: How, seats: Seats) -> Iterator[str]:
    yield f"read with other settings ({'; '.join(_words(how))}): trust and guarantees are those of the panel as fitted"
    if how.look_again and not any(map(seats.can_look_again, seats.agents)):
        yield "a second look was asked for, but none of the agents can take one"
    elif how.look_again and seats.arbiter.second is None:
        yield "second looks are off on this panel: the second answers are shown, but not counted"


def _words(how: How) -> Iterator[str]:
    if how.only:
        yield f"only {', '.join(how.only)}"
    if how.without:
        yield f"without {', '.join(how.without)}"
    if how.look_again:
        yield "a second look in any case"
    if how.k is not None:
        yield f"{how.k} similar cases"
