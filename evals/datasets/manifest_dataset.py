"""A table (CSV, TSV, JSON, JSONL or Parquet) with one row per image."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from doubleread.core.case import Case, RowProblem
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError, FileMissing
from doubleread.core.image_paths import locate, named
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets._groups import RowKeys
from doubleread.evals.datasets._table_columns import columns_of, filled, is_template
from doubleread.evals.datasets._text_table import EXTRA, TextTable, read_table
from doubleread.evals.datasets.label_names import split_name
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

_OWN = ("path", "label", "group", "split")
_VAGUE = frozenset({"manifest", "labels", "data", "index", "metadata", "train"})
_MISSING = "the file is missing"
_MOST_FILES = 100_000
"""Files that are looked through for one that a table may mean."""


def read_manifest(file: Path, columns: ReadChoice, progress: RowProgress | None = None) -> LabelledCases:
    """The labelled cases of a manifest; paths are relative to its folder, further columns become metadata.

    A column ``split`` is honoured. Without ``columns.group``, a column ``group`` is used. Other
    usual names of the columns of path and label are found. Raises ``DataError`` for a file that cannot be read (with
    the line), missing columns, an unknown split, paths that are all missing, and what ``gather`` raises.
    """
    table = _table(file, columns)
    chosen, notes = columns_of(table, columns, str(file))
    keys = RowKeys.of(chosen, table.columns, chosen.path)
    read = [
        located(manifest_row(file.parent, f"line {line}", values, chosen, keys), file.parent)
        for line, values in zip(table.lines, table.rows, strict=True)
    ]
    _check_missing(file, chosen, read)
    name = file.resolve().parent.name if file.stem.lower() in _VAGUE else file.stem
    notes = [f"labels are the column {chosen.label!r} of {file.name}", *table.notes, *notes, *_readings(read)]
    return gather(name or file.stem, [*table.problems, *read], columns, notes=[*notes, *keys.notes], progress=progress)


def listed_images(file: Path, path_column: str = USUAL.path) -> tuple[list[str], tuple[str, ...]]:
    """The paths that a manifest lists, from its folder, and notes about the reading. Labels are not used.

    Raises ``DataError`` where it cannot be read, or has no column of paths.
    """
    columns = USUAL._replace(path=path_column)
    table = _table(file, columns)
    chosen, notes = columns_of(table, columns, str(file), labels=False)
    paths = [path for values in table.rows if (path := _path_text(values, chosen.path))]
    found = list(_located(paths, file.parent))
    return found, (*table.notes, *notes)


def _located(paths: Sequence[str], folder: Path) -> Iterator[str]:
    for path in paths:
        try:
            yield str(locate(path, folder).path)
        except FileMissing:
            yield path if named(path) != path else str(folder / path)


def _table(file: Path, columns: ReadChoice) -> TextTable:
    table = read_table(file)
    if not table.rows:
        raise DataError(
            f"{file} has no rows; it needs one row per image, with the columns {columns.path} and {columns.label}"
        )
    return table


def _check_missing(file: Path, columns: ReadChoice, read: Sequence[DatasetRow | RowProblem]) -> None:
    """Raises ``DataError`` where every path is missing, once for all of them."""
    missing = [one for one in read if isinstance(one, RowProblem) and one.problem.startswith(_MISSING)]
    if len(missing) < max(2, len(read)):
        return
    first = missing[0]
    told = first.problem.removeprefix(f"{_MISSING}: ")
    meant = _meant(file.parent, first.path, columns.path)
    hint = meant or f"; paths start at the folder of the table: is {file.name} in the right folder?"
    raise DataError(f"{file}: the files of all {len(missing):,} paths are missing; the first is {told}{hint}")


def _meant(folder: Path, text: str, column: str) -> str:
    """A hint for names without a folder or a suffix, with a file below the table that has such a name."""
    if is_template(column) or not text:
        return ""
    for found in _files_below(folder):
        if text in (found.name, found.stem):
            template = (found.parent / found.name.replace(text, f"{{{column}}}", 1)).as_posix()
            return f"; there is {found.as_posix()!r}: name the paths with --path-column '{template}'"
    return ""


def _files_below(folder: Path) -> Iterator[PurePath]:
    seen = 0
    for home, _, names in os.walk(folder):
        for name in names:
            yield PurePath(os.path.relpath(home, folder), name)
        seen += len(names)
        if seen > _MOST_FILES:
            return


def _readings(read: Sequence[DatasetRow | RowProblem]) -> Iterator[str]:
    """How paths were read that are not there as they are written, each way once."""
    rows = [one for one in read if isinstance(one, DatasetRow) and one.reading]
    first = {one.reading: one.source for one in reversed(rows)}
    for reading, n in Counter(one.reading for one in rows).items():
        yield f"{n:,} {'path' if n == 1 else 'paths'} as {first[reading]!r}: {reading}"


def _path_text(values: Mapping[str, str], column: str) -> str:
    return filled(column, values) if is_template(column) else values.get(column, "").strip()


def located(row: DatasetRow | RowProblem, folder: Path) -> DatasetRow | RowProblem:
    """The row with the file that its path means, or what is wrong with the path."""
    if isinstance(row, RowProblem):
        return row
    source = named(row.source)
    try:
        found = locate(row.source, folder)
    except FileMissing as error:
        return replace(row, source=source).problem("missing files", str(error))
    return replace(row, path=found.path, source=source, reading=found.note)


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
    text = _path_text(values, columns.path)
    values = {**values, columns.path: text}
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
