"""A person's decisions on images: kept in the session, confirmed to the panel, and undone."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

from doubleread.core.case import Case
from doubleread.core.errors import DoublereadError, NotConfirmed, SessionError
from doubleread.panel import Panel
from doubleread.sessions._log import Log, Progress, Started
from doubleread.sessions._readings import ReadingStore
from doubleread.sessions._work import Work
from doubleread.sessions.manner import PLAIN
from doubleread.sessions.record import Decided, Event, Undone
from doubleread.sessions.standing import Standing, last_decision, name_of


class SessionDecisions:
    """The decisions in one panel's sessions. Callers hold the session's lock."""

    def __init__(
        self,
        panel: Panel,
        log: Log,
        readings: ReadingStore,
        work: Work,
        standing: Callable[[str, str], Coroutine[None, None, Standing]],
    ) -> None:
        self._panel, self._log, self._readings, self._work, self._standing = panel, log, readings, work, standing

    async def confirm(
        self, session: str, case: str, label: str, reviewer: str, note: str, reading: str | None = None
    ) -> None:
        """Records the true label of an image and ends its waiting readings; undoes an earlier decision."""
        label = self._panel.task.named(label)
        standing, read = await self._standing(session, case), await self._work.ask(self._log.readings, session)
        ended = [one for one in read if one.case == case and one.progress != "running"]
        if not standing.cases[case].verdicts:
            raise SessionError(f"{standing.cases[case].name} has no verdict yet that could be decided on: wait for it")
        events = await self._work.ask(self._log.events, session)
        if (earlier := last_decision(events, case)) is not None:
            await self._take_back(session, earlier, reviewer)
        kept = await asyncio.to_thread(self._keep, events, ended, standing.cases[case].case, label, reviewer, note)
        decided = Decided(label=label, reviewer=reviewer, note=note, kept=kept)
        about = reading or ended[-1].id
        waited: dict[str, Progress] = {one.id: "ended" for one in ended if one.progress == "waiting"}
        await self._work.write(self._log.add, session, "decided", decided, case=case, reading=about, progress=waited)
        for one in waited:
            await self._readings.decide(one, decided.model_dump(mode="json"))

    async def undo(self, session: str, reviewer: str) -> None:
        """Undoes the last decision of a session. Raises ``SessionError`` if there is none."""
        decision = last_decision(await self._work.ask(self._log.events, session))
        if decision is None:
            raise SessionError("nothing was confirmed or decided in this session that could be undone")
        await self._take_back(session, decision, reviewer)

    def _keep(
        self, events: Sequence[Event], ended: Sequence[Started], case: Case, label: str, reviewer: str, note: str
    ) -> str:
        """Confirms to the panel; returns the reason if that failed, else an empty string.

        Only readings with the panel's fitted settings count: others say nothing about its trust.
        """
        plain = {one.id for one in ended if one.how == PLAIN}
        verdicts = [event.what for event in events if event.kind == "verdict" and event.reading in plain]
        if not verdicts:
            return "the image was read with other settings only: read it as the panel was fitted, then confirm"
        try:
            self._panel.confirm(verdicts[-1].model_copy(update={"case": case}), label, reviewer=reviewer, note=note)
        except DoublereadError as error:
            return str(error)
        return ""

    async def _take_back(self, session: str, decision: Event, reviewer: str) -> None:
        """Undoes a decision; readings that waited for it wait again."""
        case, decided = str(decision.case), decision.what
        if not decided.kept:
            await asyncio.to_thread(self._retract, case, reviewer)
        events = await self._work.ask(self._log.events, session)
        undone = Undone(seq=decision.seq, what=f"{name_of(events, case)} is {decided.label}", reviewer=reviewer)
        again: dict[str, Progress] = {
            e.reading: "waiting" for e in events if e.kind == "waiting" and e.case == case and e.reading is not None
        }
        await self._work.write(
            self._log.add, session, "undone", undone, case=case, reading=decision.reading, progress=again
        )

    def _retract(self, case: str, reviewer: str) -> None:
        with suppress(NotConfirmed):  # already retracted by someone else
            self._panel.retract(case, reviewer=reviewer)
