"""Tables of images: the rows of a CSV, TSV, JSON, JSONL or Parquet file."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError, FileError, StoreError
from doubleread.core.safe_files import parse_json, read_bytes
from doubleread.evals.datasets._table_lines import SAVE_AS, table_lines
from doubleread.rag.care import tabular

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
JSONL_SUFFIXES = frozenset({".jsonl", ".ndjson"})
_SHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".ods", ".numbers"})
_PARQUET = ".parquet"
TABLE_SUFFIXES = CSV_SUFFIXES | JSONL_SUFFIXES | _SHEETS | {".json", _PARQUET}
EXTRA = "\0extra"
"""Column of the values that a row has beyond its columns."""
_SEPARATORS = ",;\t|"
_SEP_LINE = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class TextTable:
    """Rows as text, with the line of the file each starts on."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]
    problems: tuple[RowProblem, ...] = ()
    """Rows that could not be read, each on its own."""
    notes: tuple[str, ...] = ()
    """How the file was read, where that is not plain."""


def read_table(file: Path) -> TextTable:
    """The table in a file, of the kind that its suffix says; raises ``DataError`` (with the line) where it is broken.

    Columns without a name are left out, with a note if they have values.
    """
    kind = file.suffix.lower()
    if kind in _SHEETS:
        raise DataError(f"{file} is a spreadsheet: {SAVE_AS}, and give that file")
    try:
        if kind == _PARQUET:
            return _records(tabular.read_rows(file))
        if kind == ".json":
            return _records(_listed(file))
        return _jsonl(file) if kind in JSONL_SUFFIXES else _csv(file)
    except (FileError, StoreError) as error:
        raise DataError(str(error)) from None


def as_text(value: Any) -> str:
    """A value as text: strings as they are, None as nothing, everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# -- CSV --------------------------------------------------------------------------------------------------------------


def _csv(file: Path) -> TextTable:
    lines, notes = table_lines(file)
    header, skipped, separator = next(lines(), ""), 0, ""
    if stated := _SEP_LINE.fullmatch(header):  # Excel's own first line
        separator, skipped = stated[1], 1
    separator = separator or max(_SEPARATORS, key=header.count)
    text = lines()
    for _ in range(skipped):
        next(text)
    columns, found, problems = _values(file, csv.reader(text, delimiter=separator, strict=True), skipped)
    _check_header(file, [name for name in columns if name])
    rows, numbers = [_row(columns, values) for _, values in found], [number for number, _ in found]
    notes += _nameless(columns, [values for _, values in found])
    return TextTable(tuple(filter(None, columns)), tuple(rows), tuple(numbers), tuple(problems), notes)


def _values(
    file: Path, reader: Any, skipped: int
) -> tuple[list[str], list[tuple[int, Sequence[str]]], list[RowProblem]]:
    """The names of the columns, the values of each row with its line, and the rows that cannot be read."""
    columns: list[str] | None = None
    found: list[tuple[int, Sequence[str]]] = []
    problems: list[RowProblem] = []
    while True:
        begun = reader.line_num + 1 + skipped  # of a row that breaks: its quote may swallow the rest of the file
        try:
            values = next(reader)
        except StopIteration:
            return columns or [], found, problems
        except csv.Error as error:
            if columns is None or "field limit" not in str(error):
                raise DataError(f"{file}, line {begun}: not CSV: {error}") from None
            told = f"a value has more than {csv.field_size_limit():,} characters"
            problems.append(RowProblem(where=f"line {begun}", problem=told))
            continue
        if not any(value.strip() for value in values):
            continue  # a blank line, or one of separators only, as spreadsheets leave them
        if columns is None:
            columns = [name.strip() for name in values]
        else:
            found.append((reader.line_num + skipped, values))


def _row(columns: Sequence[str], values: Sequence[str]) -> Mapping[str, str]:
    row = {name: value for name, value in zip(columns, values, strict=False) if name}
    row.update({name: "" for name in columns[len(values) :] if name})
    if any(value.strip() for value in values[len(columns) :]):
        row[EXTRA] = ""
    return row


def _nameless(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Says which columns without a name have values; empty ones, as Excel adds them, are no matter."""
    empty = [i for i, name in enumerate(columns) if not name]
    used = sorted({i for values in rows for i in empty if i < len(values) and values[i].strip()}) if empty else []
    numbers = ", ".join(str(i + 1) for i in used)
    return (f"column {numbers} has no name and was left out",) if used else ()


def _check_header(file: Path, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{file} has two columns called {', '.join(map(repr, twice))}; rename one")


# -- JSON and Parquet -------------------------------------------------------------------------------------------------


def _jsonl(file: Path) -> TextTable:
    rows: list[Mapping[str, str]] = []
    lines: list[int] = []
    columns: dict[str, None] = {}
    problems: list[RowProblem] = []
    every, notes = table_lines(file)
    for number, line in enumerate(every(), start=1):
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
    return TextTable(tuple(columns), tuple(rows), tuple(lines), tuple(problems), notes)


def _json_row(line: str, where: str) -> dict[str, str]:
    value = parse_json(line, where)
    if not isinstance(value, dict):
        raise FileError(f"{where}: each line must be a JSON object, not {type(value).__name__}")
    return {name: as_text(item) for name, item in value.items()}


def _listed(file: Path) -> Iterator[Mapping[str, Any]]:
    value = parse_json(read_bytes(file), file)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise FileError(
            f'{file} is no table: a .json table is a list of objects, as in [{{"path": "1.jpg", "label": "rust"}}]'
        )
    yield from value


def _records(records: Iterable[Mapping[str, Any]]) -> TextTable:
    """A table without lines: its rows are counted from 1."""
    columns: dict[str, None] = {}
    rows: list[Mapping[str, str]] = []
    for record in records:
        row = {name: as_text(value) for name, value in record.items() if _is_plain(value)}
        columns.update(dict.fromkeys(row))
        rows.append(row)
    return TextTable(tuple(columns), tuple(rows), tuple(range(1, len(rows) + 1)))


def _is_plain(value: Any) -> bool:
    """Whether a value can stand in a table of text: not an image that is stored in the table itself."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
