"""What a person wants, once it is understood."""

from typing import Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.sessions.commands import CommandName
from doubleread.sessions.record import How


class Price(Record):
    """One cost: of a referral, of any error, of missing ``label``, or of calling ``label`` ``said``."""

    of: Literal["referral", "error", "missed", "mistaken"]
    label: str | None = None
    said: str | None = None
    amount: float


class Intent(Record):
    """A command and what it is given; ``heard`` tells what was mended to understand it."""

    command: CommandName
    label: str | None = None
    agents: tuple[str, ...] = ()
    image: str | None = None
    """A case id."""
    count: int | None = None
    how: How = How()
    prices: tuple[Price, ...] = ()
    shares: dict[str, float] = Field(default_factory=dict)
    """Prevalences, by label."""
    factors: dict[str, float] = Field(default_factory=dict)
    """How many times as common, by label."""
    heard: tuple[str, ...] = ()


class NotUnderstood(Record):
    """What could not be understood, and what one might say instead."""

    problem: str
    suggestions: tuple[str, ...] = ()
