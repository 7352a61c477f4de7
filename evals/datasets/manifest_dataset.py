"""A CSV, TSV or JSONL file with one row per image."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from doubleread.core.case import Case, RowProblem
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets._groups import RowKeys
from doubleread.evals.datasets._text_table import EXTRA, read_table
from doubleread.evals.datasets.label_names import split_name
from doubleread.evals.datasets.read_choice import ReadChoice

_OWN = ("path", "label", "group", "split")
_VAGUE = frozenset({"manifest", "labels", "data", "index", "metadata"})


def read_manifest(file: Path, columns: ReadChoice, progress: RowProgress | None = None) -> LabelledCases:
    """The labelled cases of a manifest; paths are relative to its folder, further columns become metadata.

    A column ``split`` is honoured. Without ``columns.group``, a column ``group`` is used. Raises ``DataError`` for a
    file that cannot be read (with the line), missing columns, an unknown split, and what ``gather`` raises.
    """
    table = read_table(file)
    if not table.rows:
        raise DataError(
            f"{file} has no rows; it needs one row per image, with the columns {columns.path} and {columns.label}"
        )
    missing = [name for name in (columns.path, columns.label) if name not in table.columns]
    if missing:
        raise DataError(
            f"{file} has no column {' and '.join(map(repr, missing))}; columns: {', '.join(table.columns)}. "
            "Name them with label_column and path_column"
        )
    keys = RowKeys.of(columns, table.columns, columns.path)
    read = [
        manifest_row(file.parent, f"line {line}", values, columns, keys)
        for line, values in zip(table.lines, table.rows, strict=True)
    ]
    name = file.resolve().parent.name if file.stem.lower() in _VAGUE else file.stem
    notes = [f"labels are the column {columns.label!r} of {file.name}"]
    return gather(name or file.stem, [*table.problems, *read], notes=[*notes, *keys.notes], progress=progress)


def write_manifest(file: Path, cases: Sequence[Case]) -> Path:
    """Writes these cases as a manifest, as ``read_manifest`` reads it, with their metadata, and returns its path.

    Paths are relative to the manifest. There is a column ``subject`` if a case has one. Raises ``DataError`` for a case
    without a file.
    """
    own = (*_OWN, "subject") if any(case.subject for case in cases) else _OWN
    further = dict.fromkeys(name for case in cases for name in case.metadata if name not in own)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, (*own, *further), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for case in cases:
        if case.path is None:
            raise DataError(f"{case.source} is not a file, so a manifest cannot name it")
        path = Path(os.path.relpath(case.path.absolute(), file.absolute().parent)).as_posix()
        told = {"path": path, **{name: getattr(case, name) or "" for name in own[1:]}}
        writer.writerow({**case.metadata, **told})
    write_text(file, out.getvalue())
    return file


def manifest_row(
    folder: Path, where: str, values: Mapping[str, str], columns: ReadChoice, keys: RowKeys
) -> DatasetRow | RowProblem:
    """One row of a table, its path taken relative to ``folder``; raises ``DataError`` for an unknown split."""
    text = values.get(columns.path, "").strip()
    if EXTRA in values:
        return RowProblem(
            where=where, path=text, problem="more values than columns; put values that contain a comma in quotes"
        )
    if not text:
        return RowProblem(where=where, problem="the path is empty")
    try:
        group, subject = keys.of_row(values)
    except ValueError as error:
        return RowProblem(where=where, path=text, problem=str(error))
    split = values.get("split", "").strip()
    taken = {columns.label, columns.path, "split"}
    return DatasetRow(
        where=where,
        path=folder / text,
        source=text,
        label=values.get(columns.label, "").strip(),
        group=group,
        subject=subject,
        split=split_name(split, f"{where} of the manifest") if split else None,
        metadata={column: value for column, value in values.items() if column not in taken and value},
    )
