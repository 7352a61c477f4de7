"""Records answers as they are given, each on disk at once so that a crash loses none, and replays them as agents."""

import csv
import io
import json
import threading
from pathlib import Path

from doubleread.agents.recorded.book import FLAT, AnswerBook, answer_row, read_keys
from doubleread.core.case import Case
from doubleread.core.closing import Closing
from doubleread.core.durable import AppendFile
from doubleread.core.errors import DataError, FileError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion


class Recorder(Closing):
    """Appends every case and answer that a ``.jsonl`` or ``.csv`` file does not hold yet.

    An answer is on disk when the call returns. Threads and processes may share a file. An incomplete last line left by
    a crash is removed. Raises ``DataError`` if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix not in (".jsonl", ".csv"):
            raise DataError(f"cannot record into {path}: name a .jsonl or a .csv file")
        self._flat, self._guard = path.suffix == ".csv", threading.Lock()
        self._head = _csv_line(FLAT) if self._flat else b""
        self._known = read_keys(path, self._head or b'{"case": ')
        try:
            self._file = AppendFile(path)
        except FileError as error:
            raise DataError(f"cannot record: {error}") from None

    def __call__(self, case: Case, answer: Answer) -> None:
        """Writes the answer unless the file holds this agent's answer to this case in this round.

        Raises ``FileError`` if writing fails; the answer is then not in the file and can be given again.
        """
        key = (case.id, answer.agent, answer.round)
        with self._guard:
            if key in self._known:
                return
            line = _csv_line(answer_row(case, answer)) if self._flat else _json_line(case, answer)
            self._file.append(line, head=self._head)
            self._known.add(key)

    def close(self) -> None:
        self._file.close()


def _json_line(case: Case, answer: Answer) -> bytes:
    row = {"case": case.id, "source": case.source, "label": case.label, "answer": answer.model_dump(mode="json")}
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


def _csv_line(values: tuple[str, ...]) -> bytes:
    line = io.StringIO()
    # A NUL character would make the whole file unreadable.
    csv.writer(line, lineterminator="\n").writerow(
        [" ".join(value.replace("\0", " ").splitlines()) for value in values]
    )
    return line.getvalue().encode()


class RecordedAgent:
    """Replays one agent of a book; abstains on cases that are not in it."""

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


class RecordedAgentTwoRounds(RecordedAgent):
    """Also replays the second round, which may have been answered on other evidence."""

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        del evidence
        return self._again(case, 2)


def replay(name: str, book: AnswerBook, whose: str = "") -> RecordedAgent:
    """Replays one agent of the book under the name ``name``; ``whose`` defaults to it, or to the only agent.

    Raises ``DataError`` for an agent that is not in the book.
    """
    if not whose:
        whose = name if name in book.agents or len(book.agents) > 1 else book.agents[0]
    if whose not in book.agents:
        raise DataError(f"no answers of {whose!r} are recorded; there are some of {', '.join(book.agents)}")
    return (RecordedAgentTwoRounds if 2 in book.rounds(whose) else RecordedAgent)(name, book, whose)
