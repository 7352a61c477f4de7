"""A CSV, TSV or JSONL file with one row per image."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doubleread.core.errors import DataError
from doubleread.core.problem import RowProblem
from doubleread.evals.datasets.gather import Row, gather
from doubleread.evals.datasets.groups import GroupOf, group_key
from doubleread.evals.datasets.names import split_name
from doubleread.evals.datasets.record import Dataset, Progress

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
JSONL_SUFFIXES = frozenset({".jsonl", ".ndjson"})
_VAGUE = frozenset({"manifest", "labels", "data", "index", "metadata"})
_EXTRA = "\0extra"


@dataclass(frozen=True)
class _Table:
    """Rows as text, with the line of the file each starts on."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]


def read_manifest(
    file: Path,
    *,
    label_column: str = "label",
    path_column: str = "path",
    group: str | None = None,
    task_id: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The data set of a manifest; paths are relative to its folder, further columns become metadata.

    A column ``split`` is honoured. Without ``group``, a column of that name is used. Raises ``DataError`` for a
    file that cannot be read (with the line), missing columns, an unknown split, and what ``gather`` raises.
    """
    table = _jsonl(file) if file.suffix.lower() in JSONL_SUFFIXES else _csv(file)
    if not table.rows:
        raise DataError(f"{file} has no rows; it needs one per image, with columns {path_column} and {label_column}")
    missing = [name for name in (path_column, label_column) if name not in table.columns]
    if missing:
        raise DataError(
            f"{file} has no column {' and '.join(map(repr, missing))}; columns: {', '.join(table.columns)}. "
            "Name them with label_column and path_column"
        )
    expression = group or ("group" if "group" in table.columns else None)
    key = group_key(expression, table.columns, path_column) if expression else None
    read = [
        _row(file.parent, line, values, label_column, path_column, key)
        for line, values in zip(table.lines, table.rows, strict=True)
    ]
    rows = [row for row in read if isinstance(row, Row)]
    problems = [row for row in read if isinstance(row, RowProblem)]
    name = file.resolve().parent.name if file.stem.lower() in _VAGUE else file.stem
    notes = [f"labels are the column {label_column!r} of {file.name}"]
    notes += [f"group key: {expression}"] if expression else []
    return gather(name or file.stem, rows, task_id=task_id, problems=problems, notes=notes, progress=progress)


def _row(
    folder: Path, line: int, values: Mapping[str, str], label_column: str, path_column: str, key: GroupOf | None
) -> Row | RowProblem:
    where, text = f"line {line}", values.get(path_column, "").strip()
    if _EXTRA in values:
        return RowProblem(where=where, path=text, problem="more values than columns; quote values that hold a comma")
    if not text:
        return RowProblem(where=where, problem="the path is empty")
    try:
        group = key(values) if key else None
    except ValueError as error:
        return RowProblem(where=where, path=text, problem=str(error))
    split = values.get("split", "").strip()
    taken = {label_column, path_column, "split"}
    return Row(
        where=where,
        path=folder / text,
        source=text,
        label=values.get(label_column, "").strip(),
        group=group,
        split=split_name(split, f"{where} of the manifest") if split else None,
        metadata={column: value for column, value in values.items() if column not in taken and value},
    )


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


def _csv(file: Path) -> _Table:
    text = _text(file)
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True, restkey=_EXTRA, restval="")
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
    return _Table(tuple(columns), tuple(rows), tuple(lines))


def _check_header(file: Path, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{file} has two columns called {', '.join(map(repr, twice))}; rename one")


def _jsonl(file: Path) -> _Table:
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
    return _Table(tuple(columns), tuple(rows), tuple(lines))


def _json_row(file: Path, number: int, line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}, line {number}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{file}, line {number}: one JSON object per line is needed, got {type(value).__name__}")
    return {name: _as_text(item) for name, item in value.items()}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
