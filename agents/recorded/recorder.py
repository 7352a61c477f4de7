"""Writes every answer down as it is given: one line each, at once, so that a crash loses none."""

import csv
import io
import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from doubleread.agents.recorded.book import FLAT, answer_row, read_keys
from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.opinion import Answer


class Recorder:
    """Called with every case and answer; adds those to a ``.jsonl`` or ``.csv`` file that are not in it yet.

    Thread-safe. Half a line that a crash left behind is cut off. Raises ``DataError`` for a file that cannot be used.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix not in (".jsonl", ".csv"):
            raise DataError(f"cannot record into {path}: name a .jsonl or a .csv file")
        self._flat, self._guard = path.suffix == ".csv", threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            cut_torn_tail(path)
            self._known = read_keys(path) if path.exists() else set()
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise DataError(f"cannot record into {path}: {error.strerror or error}") from None
        if self._flat and self._file.tell() == 0:
            self._file.write(_csv_line(FLAT))

    def __call__(self, case: Case, answer: Answer) -> None:
        """Writes the answer, unless this agent's answer to this case in this round is there already."""
        key = (case.id, answer.agent, answer.round)
        with self._guard:
            if key in self._known:
                return
            self._known.add(key)
            self._file.write(_csv_line(answer_row(case, answer)) if self._flat else _json_line(case, answer))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def cut_torn_tail(path: Path) -> None:
    """Cuts a file after its last whole line."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)


def _json_line(case: Case, answer: Answer) -> bytes:
    row = {"case": case.id, "source": case.source, "label": case.label, "answer": answer.model_dump(mode="json")}
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


def _csv_line(values: tuple[str, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([" ".join(value.splitlines()) for value in values])
    return line.getvalue().encode()
