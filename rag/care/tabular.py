"""Cases as a Parquet table, through pyarrow: one column a field, so that data frames read it as it is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from doubleread.core.errors import StoreError
from doubleread.core.stored import StoredCase

_CASE = ("id", "label", "group", "split", "source", "path")
_OWN = ("added", "origin", "reviewer", "removed", "perceptual_hash")


def check() -> None:
    """Raises ``StoreError`` where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an optional extra
    except ImportError:
        raise StoreError(
            "Parquet needs pyarrow, which is not installed: pip install 'doubleread[parquet]', or use --format jsonl"
        ) from None


def write(file: Path, cases: Sequence[StoredCase]) -> None:
    """One row a case; ``tags`` is a list, ``metadata`` a JSON object in text."""
    check()
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    text = [(name, pa.string()) for name in _CASE]
    own = [
        ("added", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in ("origin", "reviewer", "perceptual_hash")),
    ]
    schema = pa.schema(
        [*text, *own, ("removed", pa.bool_()), ("tags", pa.list_(pa.string())), ("metadata", pa.string())]
    )
    pq.write_table(pa.Table.from_pylist([_row(one) for one in cases], schema=schema), file)


def read(file: Path) -> list[StoredCase]:
    """The cases of a table that ``write`` wrote. Raises ``StoreError``."""
    check()
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        return [_case(row) for row in pq.read_table(file).to_pylist()]
    except (pa.ArrowException, KeyError, TypeError, ValueError, ValidationError) as error:
        raise StoreError(f"{file} holds no table of cases ({type(error).__name__}): export it again") from None


def _row(one: StoredCase) -> dict[str, Any]:
    case = {name: getattr(one.case, name) for name in _CASE}
    path = None if one.case.path is None else str(one.case.path)
    own = {name: getattr(one, name) for name in _OWN}
    return {**case, **own, "path": path, "tags": list(one.tags), "metadata": json.dumps(one.case.metadata)}


def _case(row: dict[str, Any]) -> StoredCase:
    case = {**{name: row[name] for name in _CASE}, "metadata": json.loads(row["metadata"])}
    return StoredCase.model_validate({**{name: row[name] for name in _OWN}, "case": case, "tags": tuple(row["tags"])})
