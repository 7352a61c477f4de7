"""What a session is made of: events in the order they happened, and replies made of a few kinds of blocks.

A session is its events. Whoever shows it (terminal, browser, an export) reads them from the first, and follows new ones
as they come; nothing else is remembered.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, TypeAdapter

from doubleread.agents.wire.faults import printable
from doubleread.core.attribution import Attribution
from doubleread.core.base import Record
from doubleread.core.errors import SessionError
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Abstention, Opinion
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict

MAX_HINT, MAX_NAME = 400, 120
"""Characters of a hint, and of a person's name."""
Kind = Literal[
    "image", "asked", "evidence", "answer", "verdict", "waiting", "decided", "said", "reply", "undone", "failed"
]  # fmt: skip
"""What happened; see ``RECORDS``."""


class Event(Record):
    """One thing that happened in a session. ``data`` is the JSON of the record that its kind names."""

    session: str
    seq: int
    """Counted from 1 within the session, without a gap."""
    time: AwareDatetime
    kind: Kind
    case: str | None = None
    """The image it is about."""
    reading: str | None = None
    """The reading it belongs to; an image can be read again."""
    data: Json

    @property
    def what(self) -> Any:
        """The record that its data is. Raises ``ValidationError``."""
        return RECORDS[self.kind].validate_python(self.data)


class SessionInfo(Record):
    """A session in a list of them."""

    id: str
    title: str
    created: AwareDatetime
    changed: AwareDatetime
    images: int
    waiting: int
    """Readings that wait for a person."""


class Image(Record):
    """A picture of the session; its bytes lie in the session's folder, under the case's id."""

    name: str
    width: int
    height: int


class How(Record):
    """How an image is to be read; as the panel was fitted, where nothing is said."""

    without: tuple[str, ...] = ()
    """Agents that are left out."""
    only: tuple[str, ...] = ()
    """If any: the agents that are asked, and no others."""
    look_again: bool = False
    """Whether a second look is taken whatever it is worth."""
    k: int | None = Field(default=None, ge=1, le=1000)
    """Similar cases to find."""
    hint: Annotated[str, BeforeValidator(printable)] = Field(default="", max_length=MAX_HINT)
    """What a person wants the agents to know that take hints; on one line, without characters that are not shown."""


class Asked(Record):
    """Who is asked in a round of a reading."""

    round: int
    agents: tuple[str, ...]
    how: How = How()


class Waiting(Record):
    """A reading that was referred, and why."""

    session: str
    case: str
    reading: str
    name: str
    """Of the image."""
    leaning: str | None
    reasons: tuple[str, ...]
    since: AwareDatetime


class Decided(Record):
    """What a person decided of a reading; it is confirmed to the panel unless ``kept`` says why not."""

    label: str
    reviewer: str = ""
    note: str = ""
    kept: str = ""
    """Empty: trust and archive have it. Otherwise why they have not."""


class Said(Record):
    """Words of a person."""

    text: str


class Undone(Record):
    """An event that no longer counts."""

    seq: int
    what: str
    reviewer: str = ""


class Failed(Record):
    """What could not be done, why, and what can be done about it."""

    problem: str


def person(name: str) -> str:
    """A name as it goes on record: one line of what can be shown; empty for nobody in particular.

    Raises ``SessionError`` for one that is too long.
    """
    shown = printable(name)
    if len(shown) > MAX_NAME:
        raise SessionError(f"a name has at most {MAX_NAME} characters, this one {len(shown)}: give a shorter one")
    return shown


# -- replies --------------------------------------------------------------------------------------------------------


class Text(Record):
    """Paragraphs of plain text."""

    kind: Literal["text"] = "text"
    lines: tuple[str, ...]


class Table(Record):
    """A small table; every cell is text."""

    kind: Literal["table"] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Cases(Record):
    """Stored cases to look at."""

    kind: Literal["cases"] = "cases"
    title: str = ""
    cases: tuple[Neighbour, ...]


class Bars(Record):
    """Probabilities, the largest first."""

    kind: Literal["bars"] = "bars"
    title: str = ""
    shares: dict[str, float]
    before: dict[str, float] = Field(default_factory=dict)
    """What they were, where they changed."""


class Maps(Record):
    """Where agents' probabilities rest in the image; its ``lines`` are told beside the pictures."""

    kind: Literal["maps"] = "maps"
    found: Attribution


Block = Annotated[Text | Table | Cases | Bars | Maps, Field(discriminator="kind")]


class Reply(Record):
    """What doubleread says: every number in it comes from a verdict, the panel's trust or the archive."""

    blocks: tuple[Block, ...]
    suggestions: tuple[str, ...] = ()
    """What one might say next, as it would be typed."""
    refused: bool = False
    """Whether what was said was not understood, or could not be done."""


RECORDS: Mapping[Kind, TypeAdapter[Any]] = {
    "image": TypeAdapter(Image),  # a picture joined the session
    "asked": TypeAdapter(Asked),  # a round of a reading was opened
    "evidence": TypeAdapter(Evidence),  # similar cases were found
    "answer": TypeAdapter(Opinion | Abstention),  # an agent answered
    "verdict": TypeAdapter(Verdict),  # a reading ended
    "waiting": TypeAdapter(Waiting),  # a person's decision is waited for
    "decided": TypeAdapter(Decided),  # a person decided
    "said": TypeAdapter(Said),  # a person said something
    "reply": TypeAdapter(Reply),  # what doubleread says to that
    "undone": TypeAdapter(Undone),  # an earlier event no longer counts
    "failed": TypeAdapter(Failed),  # something could not be done
}
"""The record of each kind of event."""


# -- what an action asks of the session -----------------------------------------------------------------------------


class Read(Record):
    """Read the image again."""

    do: Literal["read"] = "read"
    how: How = How()


class Confirm(Record):
    """Keep what is true of the image."""

    do: Literal["confirm"] = "confirm"
    label: str
    note: str = ""


class Undo(Record):
    """Take the last confirmation or decision back."""

    do: Literal["undo"] = "undo"


class Switch(Record):
    """Talk about another image of the session."""

    do: Literal["switch"] = "switch"
    case: str


Order = Annotated[Read | Confirm | Undo | Switch, Field(discriminator="do")]
