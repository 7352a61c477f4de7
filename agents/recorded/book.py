"""Recorded answers by agent, case and round."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from doubleread.agents.recorded.columns import AnswerColumns, answer_of
from doubleread.core.case import Case
from doubleread.core.errors import DataError, FileError
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.safe_files import parse_json
from doubleread.core.safe_text import read_head, text_lines
from doubleread.core.task import Task

ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)
FLAT = ("case", "source", "true_label", "agent", "round", "label", "confidence", "probabilities", "confidence_source",
        "reason", "seconds", "cost_usd", "model", "cause", "detail")  # fmt: skip
"""Columns of a recording as CSV."""
SHOWN_PROBLEMS = 5


@dataclass(frozen=True)
class AnswerBook:
    """Answers by agent, round and case. ``problems`` lists the rows left out, and why."""

    answers: Mapping[tuple[str, int, str], Answer]
    key_is: str = "id"
    problems: tuple[str, ...] = field(default=())

    @property
    def agents(self) -> tuple[str, ...]:
        """All agents with an answer, in order of appearance."""
        return tuple(dict.fromkeys(agent for agent, _, _ in self.answers))

    def rounds(self, agent: str) -> frozenset[int]:
        """The rounds that an agent answered in."""
        return frozenset(round_ for name, round_, _ in self.answers if name == agent)

    def find(self, case: Case, agent: str, round_: int) -> Answer | None:
        """Returns the agent's answer to a case in a round, or None."""
        path = Path(case.source)
        keys = {"id": case.id, "source": case.source, "name": path.name, "stem": path.stem}
        return self.answers.get((agent, round_, keys[self.key_is]))


def read_book(
    path: Path, columns: AnswerColumns | None = None, *, agent: str = "", task: Task | None = None, torn: bool = False
) -> AnswerBook:
    """Reads the answers in a ``.jsonl`` or ``.csv`` file: a recording, or a table described by ``columns``.

    The answers in a table are those of ``agent`` to a ``task``. With ``torn`` an incomplete last line is left out.
    Raises ``DataError`` if the file cannot be read, columns are missing, or no row is usable.
    """
    answers: dict[tuple[str, int, str], Answer] = {}
    problems: list[str] = []
    for number, row in _rows(path, torn=torn):
        try:
            if isinstance(row, FileError):
                raise row
            found = list(_recorded(row)) if columns is None else list(_foreign(row, columns, agent, task))
        except (FileError, KeyError, ValueError, TypeError, OverflowError, StopIteration) as error:
            problems.append(f"{path.name}:{number}: {_said(error)}")
            continue
        for key, answer in found:
            answers[answer.agent, answer.round, key] = answer
    if not answers:
        why = "; ".join(problems[:SHOWN_PROBLEMS]) or "it holds no rows"
        raise DataError(f"{path} holds no answer that can be used: {why}")
    return AnswerBook(answers, "id" if columns is None else columns.key_is, tuple(problems))


def read_keys(path: Path, begins: bytes) -> set[tuple[str, str, int]]:
    """Returns case, agent and round of every answer in a recording; empty if the file does not exist.

    Ignores an incomplete last line, as a crash leaves it. ``begins`` is the start of any recording. Raises
    ``DataError`` if the file is not a recording.
    """
    if not path.exists():
        return set()
    for attempt in range(2):  # between two looks another process may have written its first line
        try:
            return {(key, agent, round_) for agent, round_, key in read_book(path, torn=True).answers}
        except DataError as error:
            empty = not any(True for _ in _rows(path, torn=True))
            if empty and begins.startswith(read_head(path, len(begins))):
                break
            if attempt:
                raise DataError(f"{error}; it is no recording: choose another file") from None
    return set()


def answer_row(case: Case, answer: Answer) -> tuple[str, ...]:
    """Converts an answer to a row of ``FLAT``."""
    row = {
        "case": case.id,
        "source": case.source,
        "true_label": case.label or "",
        "agent": answer.agent,
        "round": str(answer.round),
        "seconds": repr(answer.seconds),
        "cost_usd": repr(answer.usage.cost_usd),
    }
    if isinstance(answer, Opinion):
        row |= {
            "label": answer.label,
            "confidence": repr(answer.confidence),
            "probabilities": json.dumps(answer.probabilities) if answer.probabilities else "",
            "confidence_source": answer.confidence_source,
            "reason": answer.reason,
            "model": answer.model,
        }
    else:
        row |= {"cause": answer.cause, "detail": answer.detail}
    return tuple(row.get(name, "") for name in FLAT)


def _recorded(row: Mapping[str, Any]) -> Iterator[tuple[str, Answer]]:
    if "answer" in row:
        yield str(row["case"]), ANSWER.validate_python(row["answer"])
        return
    if "opinions" in row:  # a verdict, as `doubleread diagnose --json` prints it
        for answer in (*row["opinions"], *row["abstentions"]):
            yield str(row["case"]["id"]), ANSWER.validate_python(answer)
        return
    cost = {"usage": {"cost_usd": None if row["cost_usd"] == "None" else float(row["cost_usd"] or 0)}}
    common = {"agent": row["agent"], "round": int(row["round"]), "seconds": float(row["seconds"] or 0), **cost}
    if row["cause"]:
        yield row["case"], Abstention.model_validate({**common, "cause": row["cause"], "detail": row["detail"]})
        return
    shares = parse_json(row["probabilities"], "probabilities") if row["probabilities"] else {}
    said = {name: row[name] for name in ("label", "confidence_source", "reason", "model")}
    opinion = {**common, **said, "confidence": float(row["confidence"]), "probabilities": shares}
    yield row["case"], Opinion.model_validate(opinion)


def _foreign(
    row: Mapping[str, Any], columns: AnswerColumns, agent: str, task: Task | None
) -> Iterator[tuple[str, Answer]]:
    if task is None or not agent:
        raise DataError("a table from elsewhere needs the task its labels belong to, and the name of its agent")
    for round_, part in enumerate((columns, columns.second), start=1):
        if part is not None:
            yield str(row[columns.key]), answer_of(row, part, agent, round_, task)


def _rows(path: Path, *, torn: bool) -> Iterator[tuple[int, Mapping[str, Any] | FileError]]:
    """Yields each row with its line number, or the error that made it unreadable."""
    lines = text_lines(path, torn=torn)
    try:
        if path.suffix != ".csv":
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line)
            return
        reader = csv.DictReader(lines)
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                yield reader.line_num, FileError(f"not CSV: {error}")
                continue
            if row is None:
                return
            yield reader.line_num, row
    except FileError as error:
        raise DataError(str(error)) from None


def _object(line: str) -> Mapping[str, Any] | FileError:
    try:
        row = parse_json(line, "the line")
    except FileError as error:
        return error
    return row if isinstance(row, dict) else FileError("the line is not a JSON object")


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no column {error}"
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return str(error)
