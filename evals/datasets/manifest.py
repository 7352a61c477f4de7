"""A CSV, TSV or JSONL file with one row per image."""

from collections.abc import Mapping
from pathlib import Path

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError
from doubleread.evals.datasets.dataset_record import Labelled, Progress
from doubleread.evals.datasets.gather import Row, gather
from doubleread.evals.datasets.groups import GroupOf, group_key
from doubleread.evals.datasets.label_names import split_name
from doubleread.evals.datasets.text_table import EXTRA, read_table

_VAGUE = frozenset({"manifest", "labels", "data", "index", "metadata"})


def read_manifest(
    file: Path,
    *,
    label_column: str = "label",
    path_column: str = "path",
    group: str | None = None,
    progress: Progress | None = None,
) -> Labelled:
    """The labelled cases of a manifest; paths are relative to its folder, further columns become metadata.

    A column ``split`` is honoured. Without ``group``, a column of that name is used. Raises ``DataError`` for a
    file that cannot be read (with the line), missing columns, an unknown split, and what ``gather`` raises.
    """
    table = read_table(file)
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
        manifest_row(file.parent, f"line {line}", values, label_column, path_column, key)
        for line, values in zip(table.lines, table.rows, strict=True)
    ]
    rows = [row for row in read if isinstance(row, Row)]
    problems = [*table.problems, *(row for row in read if isinstance(row, RowProblem))]
    name = file.resolve().parent.name if file.stem.lower() in _VAGUE else file.stem
    notes = [f"labels are the column {label_column!r} of {file.name}"]
    notes += [f"group key: {expression}"] if expression else []
    return gather(name or file.stem, rows, problems=problems, notes=notes, progress=progress)


def manifest_row(
    folder: Path, where: str, values: Mapping[str, str], label_column: str, path_column: str, key: GroupOf | None
) -> Row | RowProblem:
    """One row of a table, its path taken relative to ``folder``; raises ``DataError`` for an unknown split."""
    text = values.get(path_column, "").strip()
    if EXTRA in values:
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
