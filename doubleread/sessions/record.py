"""The records of a session: events in the order they happened, and replies made of a few kinds of blocks.

A session consists of its events only. Displays (terminal, browser, export) read them from the first and follow new
ones.
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
"""Maximum length in characters of a hint, and of a person's name."""
Kind = Literal[
    "image", "asked", "evidence", "answer", "verdict", "waiting", "decided", "said", "reply", "undone", "failed"
]  # fmt: skip
"""The kinds of events; see ``RECORDS``."""


class Event(Record):
    """One event of a session. ``data`` is the JSON of the record that its kind names.

    Examples:
        >>> from datetime import UTC, datetime
        >>> from doubleread.sessions.record import Event
        >>> Event(session="s", seq=1, time=datetime.now(UTC), kind="failed", data={"problem": "no such file"}).kind
        'failed'
    """

    session: str
    seq: int
    """Counted from 1 within the session, without gaps."""
    time: AwareDatetime
    kind: Kind
    case: str | None = None
    """The image it concerns."""
    reading: str | None = None
    """The reading it belongs to; an image can be read several times."""
    data: Json

    @property
    def what(self) -> Any:
        """The record in its data. Raises ``ValidationError``."""
        return RECORDS[self.kind].validate_python(self.data)


class SessionInfo(Record):
    """Summary of a session for lists.

    Examples:
        >>> from datetime import UTC, datetime
        >>> from doubleread.sessions.record import SessionInfo
        >>> now = datetime.now(UTC)
        >>> SessionInfo(id="s", title="row 4", created=now, changed=now, images=2, waiting=1).waiting
        1
    """

    id: str
    title: str
    created: AwareDatetime
    changed: AwareDatetime
    images: int
    waiting: int
    """Readings that wait for a person."""


class Image(Record):
    """A picture of the session; its bytes are stored under the case's id."""

    name: str
    width: int
    height: int


class How(Record):
    """How to read an image; by default as the panel was fitted.

    Examples:
        >>> from doubleread.sessions.record import How
        >>> How(look_again=True, hint="the plant was sprayed with copper").hint
        'the plant was sprayed with copper'
    """

    without: tuple[str, ...] = ()
    """Agents that are left out."""
    only: tuple[str, ...] = ()
    """If not empty, only these agents are asked."""
    look_again: bool = False
    """Whether to take a second look regardless of its value."""
    k: int | None = Field(default=None, ge=1, le=1000)
    """Similar cases to find."""
    hint: Annotated[str, BeforeValidator(printable)] = Field(default="", max_length=MAX_HINT)
    """What a person wants agents that take hints to know; one line of printable characters."""


class Asked(Record):
    """The agents asked in a round of a reading."""

    round: int
    agents: tuple[str, ...]
    how: How = How()


class Waiting(Record):
    """A reading that was referred, and why.

    Examples:
        >>> from datetime import UTC, datetime
        >>> from doubleread.sessions.record import Waiting
        >>> Waiting(
        ...     session="s", case="c", reading="r", name="leaf.jpg", leaning="rust", reasons=(), since=datetime.now(UTC)
        ... ).leaning
        'rust'
    """

    session: str
    case: str
    reading: str
    name: str
    """Name of the image."""
    leaning: str | None
    reasons: tuple[str, ...]
    since: AwareDatetime


class Decided(Record):
    """A person's decision on a reading; it is confirmed to the panel unless ``kept`` gives a reason."""

    label: str
    reviewer: str = ""
    note: str = ""
    kept: str = ""
    """Why trust and archive have not recorded it; empty if they have."""


class Said(Record):
    """A person's message."""

    text: str


class Undone(Record):
    """An event that no longer counts."""

    seq: int
    what: str
    reviewer: str = ""


class Failed(Record):
    """A failure: what could not be done, why, and what to do about it."""

    problem: str


def person(name: str) -> str:
    """Normalises a name for the record: one line of printable text; empty if no name is given.

    Raises ``SessionError`` if it is too long.
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
    """Stored cases to show."""

    kind: Literal["cases"] = "cases"
    title: str = ""
    cases: tuple[Neighbour, ...]


class Bars(Record):
    """Probabilities, the largest first."""

    kind: Literal["bars"] = "bars"
    title: str = ""
    shares: dict[str, float]
    before: dict[str, float] = Field(default_factory=dict)
    """The earlier probabilities, where they changed."""


class Maps(Record):
    """Attribution maps of the image; ``lines`` is the text beside them."""

    kind: Literal["maps"] = "maps"
    found: Attribution


Block = Annotated[Text | Table | Cases | Bars | Maps, Field(discriminator="kind")]


class Reply(Record):
    """A reply. Every number in it comes from a verdict, the panel's trust or the archive."""

    blocks: tuple[Block, ...]
    suggestions: tuple[str, ...] = ()
    """Suggested next input, as it would be typed."""
    refused: bool = False
    """Whether the input was not understood, or could not be carried out."""


RECORDS: Mapping[Kind, TypeAdapter[Any]] = {
    "image": TypeAdapter(Image),  # a picture was added
    "asked": TypeAdapter(Asked),  # a round of a reading was opened
    "evidence": TypeAdapter(Evidence),  # similar cases were found
    "answer": TypeAdapter(Opinion | Abstention),  # an agent answered
    "verdict": TypeAdapter(Verdict),  # a reading ended
    "waiting": TypeAdapter(Waiting),  # a reading waits for a person
    "decided": TypeAdapter(Decided),  # a person decided
    "said": TypeAdapter(Said),  # a person said something
    "reply": TypeAdapter(Reply),  # the reply to it
    "undone": TypeAdapter(Undone),  # an earlier event no longer counts
    "failed": TypeAdapter(Failed),  # something could not be done
}
"""The record of each kind of event."""


# -- orders: what an action asks of the session ---------------------------------------------------------------------


class Read(Record):
    """Read the image again."""

    do: Literal["read"] = "read"
    how: How = How()


class Confirm(Record):
    """Record the true label of the image."""

    do: Literal["confirm"] = "confirm"
    label: str
    note: str = ""


class Undo(Record):
    """Undo the last confirmation or decision."""

    do: Literal["undo"] = "undo"


class Switch(Record):
    """Talk about another image of the session."""

    do: Literal["switch"] = "switch"
    case: str


Order = Annotated[Read | Confirm | Undo | Switch, Field(discriminator="do")]
