"""Shards of one run made into the whole."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from doubleread.core.errors import RunError
from doubleread.evals.runs.run_folder import RunFolder, read_record, read_rows

_AT_ONCE = 500


def join(shards: Sequence[Path], out: Path) -> Path:
    """Writes the rows of several shards into a new run; returns its folder.

    Raises ``RunError`` where they are not of one run, one shard is given twice, or ``out`` cannot be written.
    """
    heads = {folder: read_record(folder) for folder in shards}
    first = next(iter(heads.values()))
    for folder, head in heads.items():
        if head.digest != first.digest:
            raise RunError(
                f"{folder} is of another run than {shards[0]}: other cases, panel or settings; join one run's"
            )
    parts = [head.shard for head in heads.values()]
    if None in parts or len(set(parts)) < len(parts) or len(heads) < len(shards):
        raise RunError("shards of one run are joined, each once: name the folders that were made with --shard")
    whole = first.model_copy(update={"shard": None, "cases": sum(head.cases for head in heads.values())})
    with RunFolder.begin(out, whole) as joined:
        for folder in shards:
            missing = (row for row in read_rows(folder) if row.index not in joined.done)
            while some := tuple(islice(missing, _AT_ONCE)):
                joined.append(*some)
    return out
