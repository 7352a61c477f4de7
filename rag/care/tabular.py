"""Reads and writes Parquet tables through pyarrow: cases with one column a field, and rows of any columns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from doubleread.core.errors import FileError, StoreError
from doubleread.core.safe_files import MAX_BYTES, parse_json
from doubleread.core.stored import StoredCase

Kind = Literal["text", "number", "count", "flag"]
BATCH = 1000
"""Rows held in memory at a time."""
_MOST_ROWS = 10_000_000

_CASE = ("id", "label", "group", "split", "source", "path")
_OWN = ("added", "origin", "reviewer", "removed", "perceptual_hash")


def check() -> Any:
    """Returns the module ``pyarrow`` with ``pyarrow.parquet``; raises ``StoreError`` if it is not installed."""
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise StoreError(
            "Parquet needs pyarrow, which is not installed: pip install pyarrow, or use another format"
        ) from None
    return pyarrow


def write(file: Path, cases: Sequence[StoredCase]) -> None:
    """Writes one row a case; ``tags`` is a list, ``metadata`` is JSON text."""
    pa = check()
    kinds = dict.fromkeys((*_CASE, "added", "origin", "reviewer", "perceptual_hash"), pa.string())
    kinds |= {"added": pa.timestamp("us", tz="UTC"), "removed": pa.bool_(), "tags": pa.list_(pa.string())}
    schema = pa.schema([*kinds.items(), ("metadata", pa.string())])
    pa.parquet.write_table(pa.Table.from_pylist([_row(one) for one in cases], schema=schema), file)


def write_rows(file: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a table of ``columns`` from a stream of rows; missing values and None are null. Raises ``StoreError``."""
    pa = check()
    kinds = {"text": pa.string(), "number": pa.float64(), "count": pa.int64(), "flag": pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    stream = iter(rows)
    with pa.parquet.ParquetWriter(file, schema) as writer:
        while some := list(islice(stream, BATCH)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def read(file: Path) -> list[StoredCase]:
    """Reads the cases of a table written by ``write``. Raises ``StoreError``."""
    pa = check()
    try:
        table = pa.parquet.ParquetFile(file)
        if (
            table.metadata.num_rows > _MOST_ROWS
            or sum(table.metadata.row_group(i).total_byte_size for i in range(table.num_row_groups)) > MAX_BYTES
        ):
            raise StoreError(f"{file} is larger than any table of cases: export it again")
        return [_case(row) for row in table.read().to_pylist()]
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, FileError) as error:
        raise StoreError(f"{file} holds no table of cases ({type(error).__name__}): export it again") from None


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Reads a table of any columns. Raises ``StoreError`` without pyarrow, and for what is no such table."""
    pa = check()
    try:
        with pa.parquet.ParquetFile(file) as table:
            size = sum(table.metadata.row_group(i).total_byte_size for i in range(table.num_row_groups))
            if table.metadata.num_rows > _MOST_ROWS or size > MAX_BYTES:
                raise StoreError(f"{file} is too large for a table of paths: write paths, not images, into it")
            rows: list[dict[str, Any]] = table.read().to_pylist()
            return rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(f"{file} is no Parquet table ({type(error).__name__}): write it again, or as CSV") from None


def _row(one: StoredCase) -> dict[str, Any]:
    case = {name: getattr(one.case, name) for name in _CASE}
    path = None if one.case.path is None else str(one.case.path)
    own = {name: getattr(one, name) for name in _OWN}
    return {**case, **own, "path": path, "tags": list(one.tags), "metadata": json.dumps(one.case.metadata)}


def _case(row: dict[str, Any]) -> StoredCase:
    case = {**{name: row[name] for name in _CASE}, "metadata": parse_json(row["metadata"], "metadata")}
    return StoredCase.model_validate({**{name: row[name] for name in _OWN}, "case": case, "tags": tuple(row["tags"])})
