"""The rows of a run, as a stream of readings."""

import json
from collections.abc import Iterator
from pathlib import Path

from doubleread.core.errors import DataError
from doubleread.core.opinion import Answer
from doubleread.core.reading import Reading, slim_evidence
from doubleread.core.verdict import Verdict
from doubleread.evals.runs.row import Row

ROWS = "rows.jsonl"


def labelled_verdicts(folder: Path) -> Iterator[Verdict]:
    """The verdicts on labelled cases on which anybody spoke, each case's last row, one at a time.

    Raises ``DataError`` for a folder without rows, and for a line that is none; a torn last line is left out.
    """
    file = folder / ROWS
    if not file.is_file():
        raise DataError(f"{folder} holds no run (no {ROWS}); make one with `doubleread evaluate`")
    places: dict[int, int] = {}
    with file.open("rb") as rows:
        start = 0
        for line in rows:
            if line.endswith(b"\n"):
                places[_index(line, file)] = start
            start += len(line)
        for _, place in sorted(places.items()):
            rows.seek(place)
            verdict = Row.of_line(rows.readline()).verdict
            if verdict is not None and verdict.case.label is not None and verdict.opinions:
                yield verdict


def reading_of(verdict: Verdict) -> Reading:
    """What was said about a labelled case, with what it cost."""
    answers: tuple[Answer, ...] = (*verdict.opinions, *verdict.abstentions)
    return Reading(
        case=verdict.case.id,
        label=str(verdict.case.label),
        group=verdict.case.group,
        first=tuple(a for a in answers if a.round == 1),
        second=tuple(a for a in answers if a.round > 1),
        evidence=slim_evidence(verdict.evidence),
    )


def _index(line: bytes, file: Path) -> int:
    try:
        return int(json.loads(line)["index"])
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{file} is damaged at {line[:60]!r}: take that line out") from None
