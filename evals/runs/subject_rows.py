"""The verdicts on the subjects of a run, pooled from its rows when it is complete; stored beside them."""

from collections import defaultdict
from pathlib import Path

from doubleread.core.durable import write_file
from doubleread.core.errors import FileError
from doubleread.core.safe_files import read_bytes
from doubleread.core.types import Json
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import read_rows
from doubleread.panel import Panel

FILE = "subjects.jsonl"
_KEPT = ("case", "task", "posterior", "leaning", "decision", "familiarity", "abstentions", "warnings", "trust_version")
_SHOT = ("case", "task", "posterior", "decision", "familiarity")


def write_subjects(panel: Panel, folder: Path) -> None:
    """Writes a row for each subject that the cases name; nothing where they name none."""
    found: dict[str, list[Verdict | Unread]] = defaultdict(list)
    for row in read_rows(folder):
        if row.case.subject is not None:
            found[row.case.subject].append(row.unread or _slim(row.verdict))
    rows = [_row(panel, i, name, results) for i, (name, results) in enumerate(sorted(found.items()))]
    if rows:
        write_file(folder / FILE, "".join(f"{row.line()}\n" for row in rows).encode())


def read_subjects(folder: Path) -> list[Row]:
    """The subjects of a run; none for a run that is not complete or was joined of shards."""
    try:
        return [Row.of_line(line) for line in read_bytes(folder / FILE).splitlines()]
    except (FileError, ValueError):
        return []


def _row(panel: Panel, index: int, name: str, results: list[Verdict | Unread]) -> Row:
    verdict = panel.pool(results, subject=name)
    shots = tuple(Verdict(**{key: getattr(shot, key) for key in _SHOT}) for shot in verdict.shots)
    return Row(index=index, case=verdict.case, verdict=verdict.model_copy(update={"shots": shots}))


def _slim(verdict: Verdict | None) -> Verdict:
    """What pooling needs, so that the verdicts of a large run fit in memory."""
    assert verdict is not None  # a row has a verdict or is unread
    kept: Json = {name: getattr(verdict, name) for name in _KEPT}
    opinions = verdict.opinions if verdict.abstentions or verdict.unfamiliar else ()
    return Verdict(**kept, opinions=opinions, prediction_set=verdict.prediction_set, coverage=verdict.coverage)
