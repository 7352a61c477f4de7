"""What is known where someone speaks in a session, and what comes back to them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.sessions.record import Order, Reply


@dataclass(frozen=True)
class CaseSeen:
    """An image of the session."""

    case: Case
    name: str
    verdicts: tuple[Verdict, ...] = ()
    """Of each reading that ended, the last one last."""


@dataclass(frozen=True)
class Turn:
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
    earlier: tuple[Turn, ...] = ()
    """What was said and replied before, the latest last."""


@dataclass(frozen=True)
class Answered:
    """What comes of someone's words: a reply, orders to the session, or both."""

    reply: Reply | None = None
    orders: tuple[Order, ...] = ()


Talk = Callable[[str, Standing], Awaitable[Answered]]
"""Makes of someone's words what comes of them. It changes nothing itself."""
