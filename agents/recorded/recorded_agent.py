"""Recorded answers as an agent: it says again what was said, for nothing."""

from doubleread.agents.recorded.book import AnswerBook
from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion


class Recorded:
    """Replays one agent of a book. A case that is not in it is an abstention."""

    def __init__(self, name: str, book: AnswerBook, whose: str) -> None:
        self.name = name
        self._book, self._whose = book, whose

    async def read(self, case: Case) -> Answer:
        return self._again(case, 1)

    def _again(self, case: Case, round_: int) -> Answer:
        found = self._book.find(case, self._whose, round_)
        if found is None:
            detail = f"{self._whose} has no recorded answer to this image in round {round_}"
            return Abstention(agent=self.name, cause="not-recorded", detail=detail, round=round_)
        paid = {"cached": True} if isinstance(found, Opinion) else {}
        return found.model_copy(update={"agent": self.name, **paid})


class RecordedTwice(Recorded):
    """The same for an agent that was asked again; the evidence it was shown then may have been another."""

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        del evidence
        return self._again(case, 2)


def replay(name: str, book: AnswerBook, whose: str = "") -> Recorded:
    """One agent of the book under a name of its own; ``whose`` may be left out where the book has only one.

    Raises ``DataError`` for an agent that is not in the book.
    """
    if not whose:
        whose = name if name in book.agents or len(book.agents) > 1 else book.agents[0]
    if whose not in book.agents:
        raise DataError(f"no answers of {whose!r} are recorded; there are some of {', '.join(book.agents)}")
    return (RecordedTwice if 2 in book.rounds(whose) else Recorded)(name, book, whose)
