"""Writes every answer down as it is given: one line each, on disk before the next, so that a crash loses none."""

import csv
import io
import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from doubleread.agents.recorded.book import FLAT, answer_row, read_keys
from doubleread.core.case import Case
from doubleread.core.durable import AppendFile
from doubleread.core.errors import DataError, FileError
from doubleread.core.opinion import Answer


class Recorder:
    """Called with every case and answer; adds those to a ``.jsonl`` or ``.csv`` file that are not in it yet.

    An answer is on disk when the call returns. Threads and processes may share a file. Half a line that a crash left
    behind is cut off. Raises ``DataError`` for a file that cannot be used.
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
        """Writes the answer, unless this agent's answer to this case in this round is there already.

        Raises ``FileError`` where the disk refuses; the answer is then not in the file, and may be given again.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _json_line(case: Case, answer: Answer) -> bytes:
    row = {"case": case.id, "source": case.source, "label": case.label, "answer": answer.model_dump(mode="json")}
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


def _csv_line(values: tuple[str, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([" ".join(value.splitlines()) for value in values])
    return line.getvalue().encode()
