"""What a document tells of a session, one entry after the other: the events that matter afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from doubleread.core.verdict import Verdict
from doubleread.sessions.record import Decided, Event, Failed, Image, Reply, Said, Undone
from doubleread.sessions.standing import name_of

What = Image | Verdict | Decided | Said | Reply | Undone | Failed
_TOLD = ("image", "verdict", "decided", "said", "reply", "undone", "failed")


@dataclass(frozen=True)
class ExportEntry:
    """One event of the document; ``name`` and ``picture`` are those of the image it is about, where it is about one."""

    what: What
    time: str
    case: str
    """The id of the image that it is about; empty where it is about none."""
    name: str
    picture: Path | None
    undone: bool
    """Whether it does not count any more."""


def entries(events: Sequence[Event], pictures: Mapping[str, Path]) -> Iterator[ExportEntry]:
    """The entries of a session whose pictures lie at ``pictures``, by case id."""
    undone = {event.data["seq"] for event in events if event.kind == "undone"}
    for event in events:
        if event.kind in _TOLD:
            case = event.case or ""
            yield ExportEntry(
                what=event.what,
                time=f"{event.time:%Y-%m-%d %H:%M:%S} UTC",
                case=case,
                name=name_of(events, case) if case else "",
                picture=pictures.get(case),
                undone=event.seq in undone,
            )
