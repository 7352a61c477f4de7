"""What answers the cases of a run."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import NamedTuple, Protocol

from doubleread.core.case import Case
from doubleread.core.verdict import Unread, Verdict
from doubleread.panel import Panel


class NumberedCase(NamedTuple):
    """A case and its place in the run."""

    place: int
    case: Case


class CaseResult(NamedTuple):
    """What came of one."""

    numbered: NumberedCase
    result: Verdict | Unread


class Engine(Protocol):
    """Takes cases as it has room for them, and gives results as they are ready, in any order.

    A case that fails, however it fails, is an ``Unread``. Where its consumer ends early, cases in flight are cancelled.
    """

    def answers(self, cases: Iterable[NumberedCase]) -> AsyncGenerator[CaseResult, None]: ...


class LocalEngine:
    """One panel in this process, ``in_flight`` cases at a time."""

    def __init__(self, panel: Panel, in_flight: int) -> None:
        self._panel, self._in_flight = panel, in_flight

    async def answers(self, cases: Iterable[NumberedCase]) -> AsyncGenerator[CaseResult, None]:
        """As ``Engine``."""
        waiting: dict[int, NumberedCase] = {}

        def taken() -> Iterable[Case]:
            for place, numbered in enumerate(cases):
                waiting[place] = numbered
                yield numbered.case

        async with aclosing(self._panel.astream(taken(), in_flight=self._in_flight)) as results:
            async for place, result in results:
                yield CaseResult(waiting.pop(place), result)
