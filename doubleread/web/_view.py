"""The state of a session's page, built from its events: images, their readings, and the conversation."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Answer
from doubleread.core.verdict import Verdict
from doubleread.sessions.record import Asked, Cases, Decided, Event, Failed, Image, Reply, Said, Undone, Waiting

Read = Asked | Evidence | Answer | Verdict | Waiting | Failed


@dataclass
class Reading:
    """A reading of an image."""

    id: str
    case: str
    number: int
    """Number among the image's readings, from 1."""
    name: str
    """Name of the image."""
    rounds: list[Asked] = field(default_factory=list)
    answers: dict[tuple[int, str], Answer] = field(default_factory=dict)
    evidence: Evidence | None = None
    verdict: Verdict | None = None
    waiting: Waiting | None = None
    decided: Decided | None = None
    problem: str = ""

    @property
    def over(self) -> bool:
        return self.verdict is not None or bool(self.problem)

    @property
    def progress(self) -> list[tuple[int, list[tuple[str, Answer | None]]]]:
        """Per round, the agents asked, with their answers so far."""
        return [(r.round, [(a, self.answers.get((r.round, a))) for a in r.agents]) for r in self.rounds]


@dataclass
class Shot:
    """An image of the session, with its readings in order."""

    id: str
    image: Image
    readings: list[Reading] = field(default_factory=list)
    decided: Decided | None = None

    @property
    def last(self) -> Reading | None:
        return self.readings[-1] if self.readings else None


@dataclass
class TalkEntry:
    """An entry of the conversation; ``what`` is the event's record, or the reading it belongs to."""

    id: str
    event: Event
    what: Image | Reading | Decided | Said | Reply | Undone | Failed
    undone: bool = False

    @property
    def kind(self) -> str:
        """Name of the template that shows it."""
        return type(self.what).__name__.lower()


@dataclass(frozen=True)
class PageChange:
    """What an event changes on a page that is otherwise up to date."""

    new: TalkEntry | None = None
    """An entry to append to the conversation."""
    again: tuple[TalkEntry, ...] = ()
    """Entries to render again."""
    shot: Shot | None = None
    """The event's image."""
    first: bool = False
    """Whether the event added the image."""


@dataclass
class View:
    """The state of a session's page."""

    shots: dict[str, Shot] = field(default_factory=dict)
    entries: list[TalkEntry] = field(default_factory=list)
    near: dict[str, Path] = field(default_factory=dict)
    """Pictures of stored cases named by the session's evidence or replies, by case id."""
    seq: int = 0

    def read_last(self, case: str) -> str:
        """Returns an image's last reading that has a verdict; empty if none."""
        shot = self.shots.get(case)
        return next((r.id for r in reversed(shot.readings) if r.verdict is not None), "") if shot else ""

    def apply(self, event: Event) -> PageChange:
        """Applies an event."""
        first, self.seq = event.case is not None and event.case not in self.shots, event.seq
        entry, again = self._entry(event), self._undone(event)
        new = entry if entry is not None and entry not in self.entries else None
        if new is not None:
            self.entries.append(new)
        elif entry is not None:
            again = (*again, entry)
        shot = self.shots.get(event.case or "")
        return PageChange(new, again, shot, first=first and shot is not None)

    def _entry(self, event: Event) -> TalkEntry | None:
        what = event.what
        match what:
            case Image():
                self.shots.setdefault(event.case or "", Shot(event.case or "", what))
            case Reply(blocks=blocks):
                self._name(n for block in blocks if isinstance(block, Cases) for n in block.cases)
            case Decided():
                self._decide(event, what)
            case Said() | Undone():
                pass
            case _:
                return self._read(event, what)
        return TalkEntry(f"e-{event.seq}", event, what)

    def _read(self, event: Event, what: Read) -> TalkEntry | None:
        """Handles an event of a reading; a failure without a reading is an entry of its own."""
        reading = self._reading(event)
        if reading is None:
            return TalkEntry(f"e-{event.seq}", event, what) if isinstance(what, Failed) else None
        match what:
            case Asked():
                reading.rounds.append(what)
            case Evidence():
                reading.evidence = what
                self._name_evidence(what)
            case Verdict():
                reading.verdict = what
                self._name_evidence(what.evidence)
            case Waiting():
                reading.waiting = what
            case Failed(problem=problem):
                reading.problem = problem
            case answer:
                reading.answers[answer.round, answer.agent] = answer
        return self._of(reading, event)

    def _reading(self, event: Event) -> Reading | None:
        shot = self.shots.get(event.case or "")
        if shot is None or event.reading is None:
            return None
        found = next((r for r in shot.readings if r.id == event.reading), None)
        if found is None:
            found = Reading(event.reading, shot.id, len(shot.readings) + 1, shot.image.name)
            shot.readings.append(found)
        return found

    def _of(self, reading: Reading, event: Event) -> TalkEntry:
        return next((e for e in self.entries if e.what is reading), None) or TalkEntry(f"e-{event.seq}", event, reading)

    def _decide(self, event: Event, decided: Decided | None) -> None:
        shot = self.shots.get(event.case or "")
        if shot is None:
            return
        shot.decided = decided
        for reading in shot.readings:
            if reading.id == event.reading:
                reading.decided = decided

    def _undone(self, event: Event) -> tuple[TalkEntry, ...]:
        """Marks the entries undone by an event and returns them."""
        if event.kind != "undone":
            return ()
        back = tuple(e for e in self.entries if e.event.seq == event.data["seq"])
        for entry in back:
            entry.undone = True
            if entry.event.kind == "decided":
                self._decide(entry.event, None)
        return back

    def _name_evidence(self, evidence: Evidence | None) -> None:
        if evidence is not None:
            self._name((*evidence.neighbours, *evidence.contrast, *evidence.near_copies))

    def _name(self, cases: Iterable[Neighbour]) -> None:
        self.near.update({n.case_id: n.path for n in cases if n.path is not None})
