"""Reads outcome files: verdicts as written by ``diagnose --json``, and tables of labels."""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import read_text
from doubleread.core.verdict import Verdict


def read_verdicts(path: Path) -> tuple[list[Verdict], list[str]]:
    """Reads a file of one JSON verdict per line (``-``: standard input); returns verdicts and problems."""
    text = sys.stdin.read() if str(path) == "-" else _text(path)
    found, failed = {}, []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            verdict = Verdict.model_validate_json(line)
            found[verdict.case.id] = verdict
        except ValidationError:
            failed.append(f"{path}, line {number}: no verdict (`doubleread diagnose --json` writes them)")
    return list(found.values()), failed


def _text(path: Path) -> str:
    try:
        return read_text(path, encoding="utf-8-sig")
    except FileError as error:
        raise DataError(f"{error}: name a table or verdicts saved as UTF-8") from None


def only_one(verdicts: Sequence[Verdict], path: Path) -> Verdict:
    """Returns the only verdict of a file. Raises ``DataError`` if it holds none or several."""
    if len(verdicts) != 1:
        raise DataError(f"{path} holds {len(verdicts)} verdicts; --label is for one: name a file with --labels")
    return verdicts[0]


def read_labels(path: Path) -> dict[str, str]:
    """Reads a two-column table of image or case and label; a header row is recognised."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(_text(path))) if any(row)]
    except csv.Error as error:
        raise DataError(f"{path} is no table of commas: {error}") from None
    if bad := next((i for i, row in enumerate(rows, start=1) if len(row) < 2 or not row[0] or not row[1]), None):
        raise DataError(f"{path}, row {bad}: give a case id or image path, and a label")
    headed = rows and rows[0][1].lower() == "label"
    return {row[0]: row[1] for row in rows[1 if headed else 0 :]}


def match_labels(labels: Mapping[str, str], verdicts: Sequence[Verdict], failed: list[str]) -> dict[str, str]:
    """Returns labels by case id. A row names a case by id, source or path, or by a file name if that is unique."""
    names: dict[str, set[str]] = {}
    for verdict in verdicts:
        case = verdict.case
        for name in {case.id, case.source, Path(case.source).name, str(case.path or case.source)}:
            names.setdefault(name, set()).add(case.id)
    truth = {}
    for name, label in labels.items():
        cases = names.get(name, set())
        if len(cases) == 1:
            truth[next(iter(cases))] = label
        else:
            failed.append(f"{name}: {'several verdicts go by that name' if cases else 'no verdict on it'}")
    return truth
