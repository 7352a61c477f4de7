"""Tables of text: the rows of a CSV, TSV or JSONL file."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doubleread.core.errors import DataError

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
JSONL_SUFFIXES = frozenset({".jsonl", ".ndjson"})
EXTRA = "\0extra"
"""Column of the values that a row has beyond its columns."""


@dataclass(frozen=True)
class Table:
    """Rows as text, with the line of the file each starts on."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]


def read_table(file: Path) -> Table:
    """The table in a file, JSONL or CSV by its suffix; raises ``DataError`` (with the line) where it is broken."""
    return _jsonl(file) if file.suffix.lower() in JSONL_SUFFIXES else _csv(file)


def as_text(value: Any) -> str:
    """A value as text: strings as they are, None as nothing, everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}, line {line}: not UTF-8 text; save it as UTF-8") from None
    if "\0" in text:
        raise DataError(f"{file}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: binary data, not a manifest")
    return text


def _csv(file: Path) -> Table:
    text = _text(file)
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True, restkey=EXTRA, restval="")
    rows: list[Mapping[str, str]] = []
    lines: list[int] = []
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        begun = reader.line_num + 1  # the row that broke; its quote may have swallowed the rest of the file
        raise DataError(f"{file}, line {begun}: not CSV: {error}") from None
    _check_header(file, columns)
    return Table(tuple(columns), tuple(rows), tuple(lines))


def _check_header(file: Path, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{file} has two columns called {', '.join(map(repr, twice))}; rename one")


def _jsonl(file: Path) -> Table:
    rows: list[Mapping[str, str]] = []
    lines: list[int] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        row = _json_row(file, number, line)
        columns.update(dict.fromkeys(row))
        rows.append(row)
        lines.append(number)
    return Table(tuple(columns), tuple(rows), tuple(lines))


def _json_row(file: Path, number: int, line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}, line {number}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{file}, line {number}: one JSON object per line is needed, got {type(value).__name__}")
    return {name: as_text(item) for name, item in value.items()}
