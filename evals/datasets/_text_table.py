"""Tables of text: the rows of a CSV, TSV or JSONL file."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import parse_json
from doubleread.core.safe_text import text_lines

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
JSONL_SUFFIXES = frozenset({".jsonl", ".ndjson"})
EXTRA = "\0extra"
"""Column of the values that a row has beyond its columns."""


@dataclass(frozen=True)
class TextTable:
    """Rows as text, with the line of the file each starts on."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]
    problems: tuple[RowProblem, ...] = ()
    """Rows that could not be read, each on its own."""


def read_table(file: Path) -> TextTable:
    """The table in a file, JSONL or CSV by its suffix; raises ``DataError`` (with the line) where it is broken."""
    try:
        return _jsonl(file) if file.suffix.lower() in JSONL_SUFFIXES else _csv(file)
    except FileError as error:
        raise DataError(str(error)) from None


def as_text(value: Any) -> str:
    """A value as text: strings as they are, None as nothing, everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _csv(file: Path) -> TextTable:
    header = next(text_lines(file), "")
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(text_lines(file), delimiter=separator, strict=True, restkey=EXTRA, restval="")
    rows: list[Mapping[str, str]] = []
    lines: list[int] = []
    problems: list[RowProblem] = []
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise DataError(f"{file}, line 1: not CSV: {error}") from None
    reader.fieldnames = columns
    while True:
        begun = reader.line_num + 1  # of a row that breaks: its quote may swallow the rest of the file
        try:
            rows.append(next(reader))
            lines.append(reader.line_num)
        except StopIteration:
            break
        except csv.Error as error:
            if "field limit" not in str(error):
                raise DataError(f"{file}, line {begun}: not CSV: {error}") from None
            told = f"a value has more than {csv.field_size_limit():,} characters"
            problems.append(RowProblem(where=f"line {begun}", problem=told))
    _check_header(file, columns)
    return TextTable(tuple(columns), tuple(rows), tuple(lines), tuple(problems))


def _check_header(file: Path, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{file} has two columns called {', '.join(map(repr, twice))}; rename one")


def _jsonl(file: Path) -> TextTable:
    rows: list[Mapping[str, str]] = []
    lines: list[int] = []
    columns: dict[str, None] = {}
    problems: list[RowProblem] = []
    for number, line in enumerate(text_lines(file), start=1):
        if not line.strip():
            continue
        try:
            row = _json_row(line, f"line {number}")
        except FileError as error:
            problems.append(RowProblem(where=f"line {number}", problem=str(error)))
            continue
        columns.update(dict.fromkeys(row))
        rows.append(row)
        lines.append(number)
    if problems and not rows:
        raise DataError(f"{file}, {problems[0].problem}")
    return TextTable(tuple(columns), tuple(rows), tuple(lines), tuple(problems))


def _json_row(line: str, where: str) -> dict[str, str]:
    value = parse_json(line, where)
    if not isinstance(value, dict):
        raise FileError(f"{where}: each line must be a JSON object, not {type(value).__name__}")
    return {name: as_text(item) for name, item in value.items()}
