"""Reads an image with other settings than the panel was fitted with: which agents are asked, and warnings.

A hint goes to the agents that take hints, as an unverified note of a person. Trust was measured without hints, so the
verdict says so; agents that take the hint are asked at once, and no recording is made.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from doubleread.core.agent_ports import TakesHints
from doubleread.core.errors import SessionError, UnknownPart
from doubleread.orchestrator.course.seats import Seats, nobody
from doubleread.sessions.names import fold
from doubleread.sessions.record import How

PLAIN = How()


def check(how: How, agents: tuple[str, ...], taking: Collection[str] = ()) -> None:
    """Raises ``UnknownPart`` for unknown agents, ``SessionError`` if nobody is left to ask, or to take the hint."""
    for name in (*how.without, *how.only):
        if name not in agents:
            raise UnknownPart("agent", name, agents)
    if not asked(how, agents):
        raise SessionError(f"no agent is left to read the image: the panel has {', '.join(agents)}; ask at least one")
    if how.hint and not set(taking).intersection(asked(how, agents)):
        raise SessionError(unheard(taking))


def asked(how: How, agents: tuple[str, ...]) -> tuple[str, ...]:
    """Returns which of these agents are asked."""
    return tuple(name for name in how.only or agents if name not in how.without)


def unheard(taking: Collection[str]) -> str:
    """Explains that no agent would get the hint."""
    if taking:
        return f"of those that are to read only {', '.join(taking)} could use a hint, and is left out: nothing was read"
    return "no agent of this panel reads text beside an image: a hint would change nothing; nothing was read again"


def named_in(hint: str, labels: Collection[str]) -> tuple[str, ...]:
    """Returns the labels that a hint names: agents tend to repeat an answer they are told."""
    return tuple(name for name in labels if f" {_words_of(name)} " in f" {_words_of(hint)} ")


def _words_of(text: str) -> str:
    return fold("".join(one if one.isalnum() else " " for one in text))


def seated(how: How, seats: Seats) -> Seats:
    """Returns the seats for this reading; trust is unchanged. Raises ``SessionError`` if no agent sees the image."""
    if how == PLAIN:
        return seats
    fewer = seats.with_only(asked(how, (*seats.agents, *seats.referees)))
    if not fewer.agents:
        raise SessionError(
            f"{', '.join(fewer.referees)} would be asked alone, but only weighs what others say: ask one that reads"
        )
    at_once = bool(how.only or how.hint) or set(fewer.roster.spared).issuperset(fewer.agents)
    changed = replace(fewer, at_once=at_once, look_again=how.look_again)
    told = _told(how.hint, changed) if how.hint else changed
    return replace(told, warnings=(*seats.warnings, *_warnings(how, changed)))


def _told(hint: str, seats: Seats) -> Seats:
    agents = {name: one.hinted(hint) if isinstance(one, TakesHints) else one for name, one in seats.agents.items()}
    return replace(seats, agents=agents, witness=nobody)


def _warnings(how: How, seats: Seats) -> Iterator[str]:
    yield f"read with other settings ({'; '.join(_words(how))}): trust and guarantees are those of the panel as fitted"
    if how.hint:
        yield from _of_hint(how.hint, seats)
    if how.look_again and not any(map(seats.roster.can_look_again, seats.agents)):
        yield "a second look was asked for, but none of the agents can take one"
    elif how.look_again and seats.arbiter.second is None:
        yield "second looks are off on this panel: the second answers are shown, but not counted"


def _of_hint(hint: str, seats: Seats) -> Iterator[str]:
    taking = [name for name, one in seats.agents.items() if isinstance(one, TakesHints)]
    reading = f"{', '.join(taking)} read with a person's unverified hint"
    yield f"{reading}; the agents' records were measured without hints: “{hint}”"
    if named := named_in(hint, seats.arbiter.task.names):
        yield f"the hint names {', '.join(named)}: agents tend to repeat an answer that they are given"


def _words(how: How) -> Iterator[str]:
    if how.only:
        yield f"only {', '.join(how.only)}"
    if how.without:
        yield f"without {', '.join(how.without)}"
    if how.look_again:
        yield "a second look in any case"
    if how.k is not None:
        yield f"{how.k} similar cases"
    if how.hint:
        yield "a hint"
