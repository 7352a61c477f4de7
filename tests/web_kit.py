"""Sessions that say what they are told, without a panel; and a server around them."""

import asyncio
import hashlib
import threading
from datetime import UTC, datetime
from pathlib import Path

from kit import TASK, case_of, evidence_for, opinion

from doubleread.core.attribution import WINDOWS, Attribution, AttributionMap, scale_of
from doubleread.core.errors import SessionError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention
from doubleread.core.verdict import Decision, Verdict
from doubleread.rag.images.safe_images import open_image
from doubleread.sessions._storage import Stored
from doubleread.sessions.completion import LineCompletion
from doubleread.sessions.record import (
    Asked,
    Bars,
    Cases,
    Decided,
    Event,
    How,
    Image,
    Reply,
    Said,
    SessionInfo,
    Table,
    Text,
    Undone,
    Waiting,
)
from doubleread.web.pages import PanelFacts

ABOUT = PanelFacts(TASK, ("one", "two", "three"))
COMPLETIONS = ("/similar", "/why", "/why-not", *(f"/why-not {label}" for label in TASK.names))


class ScriptedSessions:
    """Reads at once, or ``pause`` seconds an answer; refers what is called ``doubtful``.

    After the first answer it waits for ``go``, which is set unless a test clears it.
    ``words`` stands wherever an agent, a file or the archive speaks.
    """

    def __init__(self, folder: Path, words: str = "round spots", neighbours: tuple[Path, ...] = (), pause: float = 0):
        self.folder, self.words, self.neighbours, self.pause = folder, words, neighbours, pause
        self.told: dict[str, list[Event]] = {}
        self.titles: dict[str, str] = {}
        self.persons: dict[str, str] = {}
        self.files: dict[tuple[str, str], Path] = {}
        self.tasks: list[asyncio.Task[str]] = []
        self.news = asyncio.Condition()
        self.logins: set[str] = set()
        self.go = threading.Event()
        self.go.set()
        self.free = 10**12
        self.exported: list[bool] = []

    async def create(self, title=""):
        session = f"session{len(self.titles) + 1}"
        self.titles[session], self.told[session] = title, []
        return self._info(session)

    async def listed(self):
        return [self._info(session) for session in reversed(self.titles)]

    async def rename(self, session, title):
        self.titles[session] = title
        return self._info(session)

    async def delete(self, session):
        del self.titles[session], self.told[session]

    async def own(self, session, person):
        self.persons[session] = person

    async def people(self):
        return self.persons

    async def add(self, session, data, name):
        image, case = open_image(data), hashlib.sha256(data).hexdigest()
        path = self.folder / f"{case}.png"
        path.write_bytes(data)
        self.files[session, case] = path
        if any(e.case == case for e in self.told[session]):
            return case
        await self._tell(session, "image", Image(name=name, width=image.width, height=image.height), case)
        return case

    async def bring(self, session, data, name, *, in_turn=False):
        case = await self.add(session, data, name)
        await self.read(session, case)
        return case

    async def enter(self, login):
        self.logins.add(login)

    async def entered(self, login):
        return login in self.logins

    async def leave(self, login):
        self.logins.discard(login)

    async def stored(self):
        sizes = {}
        for (session, _), file in self.files.items():
            sizes[session] = sizes.get(session, 0) + file.stat().st_size
        return Stored(sizes, self.free)

    async def read(self, session, case, how=How()):  # noqa: B008 - frozen
        task = asyncio.ensure_future(self._read(session, case, how))
        self.tasks.append(task)
        return None if self.pause else await task

    async def _read(self, session, case, how):
        reading = f"reading{sum(e.kind == 'verdict' for e in self.told[session]) + 1}"
        await self._tell(session, "asked", Asked(round=1, agents=ABOUT.agents, how=how), case, reading)
        await self._tell(session, "evidence", self._evidence(), case, reading)
        answers = [
            opinion("one", 0.1, 0.8, 0.1).model_copy(update={"reason": self.words}),
            opinion("two", 0.2, 0.3, 0.5),
            Abstention(agent="three", cause="timeout", detail=self.words),
        ]
        for n, answer in enumerate(answers):
            if n and not self.go.is_set():
                await asyncio.to_thread(self.go.wait, 120)
            await asyncio.sleep(self.pause)
            await self._tell(session, "answer", answer, case, reading)
        verdict = self._verdict(session, case, answers)
        await self._tell(session, "verdict", verdict, case, reading)
        if verdict.decision.action == "refer":
            waiting = Waiting(
                session=session, case=case, reading=reading, name=self._name(session, case), leaning="rust",
                reasons=(self.words,), since=datetime.now(UTC),
            )  # fmt: skip
            await self._tell(session, "waiting", waiting, case, reading)
        return reading

    async def say(self, session, text, case=None, reviewer=""):
        await self._tell(session, "said", Said(text=text), case)
        if text == "/undo":
            last = next(e for e in reversed(self.told[session]) if e.kind == "decided")
            await self._tell(session, "undone", Undone(seq=last.seq, what=self.words, reviewer=reviewer), last.case)
            return
        blocks = (
            Text(lines=(self.words, "because it is so")),
            Table(head=("agent", self.words), rows=(("one", self.words),)),
            Cases(title=self.words, cases=self._evidence().neighbours),
            Bars(title="with other costs", shares={"rust": 0.7, "scab": 0.3}, before={"rust": 0.8}),
        )
        await self._tell(session, "reply", Reply(blocks=blocks, suggestions=("why not scab", self.words)), case)

    async def where(self, session, case, label=None):
        if label == "scab":
            raise SessionError(self.words)
        after = [[0.8] * WINDOWS for _ in range(WINDOWS)]
        after[0][0] = 0.3
        maps = (
            AttributionMap(agent="one", label=label or "rust", before=0.8, after=tuple(map(tuple, after))),
            AttributionMap(agent="two", label=label or "rust", before=0.3, after=((0.3,) * WINDOWS,) * WINDOWS),
        )
        seen = case_of("x", source=self.words).model_copy(update={"id": case})
        return Attribution(
            case=seen, label=label or "rust", maps=maps, without={"three": self.words}, scale=scale_of(maps)
        )

    async def complete(self, session, text, case=None):
        found = (one for one in COMPLETIONS if one.startswith(text) and (" " in text or " " not in one))
        return [LineCompletion(text=one, about=self.words) for one in found if one != text or " " not in one]

    async def decide(self, session, reading, label, reviewer="", note=""):
        waits = next((w for w in await self.waiting() if w.reading == reading and w.session == session), None)
        if waits is None:
            raise SessionError(f"{reading} does not wait")
        await self._tell(session, "decided", Decided(label=label, reviewer=reviewer, note=note), waits.case, reading)

    async def events(self, session, after=0):
        return [e for e in self.told[session] if e.seq > after]

    async def follow(self, session, after=0):
        while True:
            for event in await self.events(session, after):
                after = event.seq
                yield event
            async with self.news:
                await self.news.wait_for(lambda seen=after: len(self.told[session]) > seen)

    async def waiting(self):
        found = [e for told in self.told.values() for e in told if e.kind == "waiting"]
        done = {(e.session, e.reading) for told in self.told.values() for e in told if e.kind == "decided"}
        return [Waiting.model_validate(e.data) for e in found if (e.session, e.reading) not in done]

    async def decisions(self, n=20):
        undone = {(e.session, e.data["seq"]) for told in self.told.values() for e in told if e.kind == "undone"}
        found = [e for told in self.told.values() for e in told if e.kind == "decided"]
        return sorted((e for e in found if (e.session, e.seq) not in undone), key=lambda e: e.time, reverse=True)[:n]

    async def picture(self, session, case):
        if (session, case) not in self.files:
            raise SessionError(f"no picture {case!r}")
        return self.files[session, case]

    async def export(self, session, format, folder, *, metadata=False):
        self.exported.append(metadata)
        file = folder / f"{session}.{'html' if format == 'html' else 'md'}"
        file.write_text(f"# {self.titles[session]}", encoding="utf-8")
        if format == "markdown":
            (folder / "pictures").mkdir()
            (folder / "pictures" / "one.png").write_bytes(b"png")
        return file

    async def _tell(self, session, kind, data, case=None, reading=None):
        told = self.told[session]
        told.append(
            Event(
                session=session, seq=len(told) + 1, time=datetime.now(UTC), kind=kind, case=case, reading=reading,
                data=data.model_dump(mode="json"),
            )
        )  # fmt: skip
        async with self.news:
            self.news.notify_all()

    def _evidence(self) -> Evidence:
        found = evidence_for("rust")
        pairs = zip(found.neighbours, (*self.neighbours, None, None, None, None, None), strict=False)
        return found.model_copy(update={"neighbours": tuple(n.model_copy(update=_pictured(p)) for n, p in pairs)})

    def _verdict(self, session, case, answers) -> Verdict:
        refer = self._name(session, case).startswith("doubtful")
        return Verdict(
            case=case_of("x", source=self._name(session, case), path=self.files[session, case]).model_copy(
                update={"id": case}
            ),
            task="leaves",
            posterior={"healthy": 0.1, "rust": 0.8, "scab": 0.1},
            prediction_set=("rust",),
            coverage=0.9,
            decision=Decision(
                action="refer" if refer else "commit", label=None if refer else "rust", reasons=(self.words,)
            ),
            influence={"one": 0.6, "two": 0.4},
            opinions=tuple(answers[:2]),
            abstentions=tuple(answers[2:]),
            evidence=self._evidence(),
            seconds=0.1,
        )

    def _name(self, session, case) -> str:
        return next(e.data["name"] for e in self.told[session] if e.kind == "image" and e.case == case)

    def _info(self, session) -> SessionInfo:
        told, now = self.told[session], datetime.now(UTC)
        waits = {e.reading for e in told if e.kind == "waiting"} - {e.reading for e in told if e.kind == "decided"}
        return SessionInfo(
            id=session, title=self.titles[session], created=now, changed=now,
            images=sum(e.kind == "image" for e in told), waiting=len(waits),
        )  # fmt: skip


def _pictured(path: Path | None) -> dict[str, object]:
    """A picture, and where it is there the id that it has."""
    own = {"case_id": hashlib.sha256(path.read_bytes()).hexdigest()} if path is not None and path.is_file() else {}
    return {"path": path, **own}
