"""The folder of a run: begun once, appended to, gone on with, and read as a stream."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError

from doubleread.core.errors import RunError, StoreBusy
from doubleread.evals.runs.record import RunRecord
from doubleread.evals.runs.row import Row
from doubleread.rag.stores.lock import FolderLock

RECORD, ROWS = "run.json", "rows.jsonl"
Fate = Literal["verdict", "degraded", "unread"]
"""``degraded``: an agent could not be reached, or failed; another time it might answer."""
_PASSING = frozenset({"timeout", "rate-limit", "quota", "server", "network", "failure"})


class RunFolder:
    """A run that is written to. One process holds it; a row is on record when ``append`` returns."""

    def __init__(self, folder: Path, record: RunRecord, lock: FolderLock) -> None:
        self.folder, self.record, self._lock = folder, record, lock
        self.done: dict[int, Fate] = _cut(folder / ROWS)
        """What came of each case so far, by its place."""
        self._rows = (folder / ROWS).open("ab")

    @classmethod
    def begin(cls, folder: Path, record: RunRecord) -> Self:
        """A new run, or the one that is there if it is of the same cases, panel and settings.

        Raises ``RunError`` where the folder holds another run or something else, or another process writes to it.
        """
        if not folder.exists() or not any(folder.iterdir()):
            folder.mkdir(parents=True, exist_ok=True)
        elif not (folder / RECORD).is_file():
            raise RunError(f"{folder} is not empty and holds no run ({RECORD}): name a new folder")
        try:
            lock = FolderLock(folder, shared=False)
        except StoreBusy:
            raise RunError(f"another process is writing to {folder}: wait for it, or name another folder") from None
        try:
            if (folder / RECORD).is_file():
                record = _gone_on_with(folder, record)
            _write(folder / RECORD, record)
            return cls(folder, record, lock)
        except BaseException:
            lock.release()
            raise

    def append(self, row: Row) -> None:
        """Writes a row; the operating system has it when this returns."""
        self._rows.write(row.line().encode() + b"\n")
        self._rows.flush()
        self.done[row.index] = fate(row)

    def close(self) -> None:
        """Lets others write; a second call does nothing."""
        self._rows.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fate(row: Row) -> Fate:
    """What came of a case."""
    if row.verdict is None:
        return "unread"
    return "degraded" if any(one.cause in _PASSING for one in row.verdict.abstentions) else "verdict"


def read_record(folder: Path) -> RunRecord:
    """The head of a run; raises ``RunError`` where the folder holds none."""
    try:
        return RunRecord.model_validate_json((folder / RECORD).read_bytes())
    except FileNotFoundError:
        raise RunError(f"{folder} holds no run (no {RECORD}); make one with `doubleread evaluate`") from None
    except OSError as error:
        raise RunError(f"{folder / RECORD} cannot be read: {error.strerror or error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise RunError(f"{folder / RECORD} is no head of a run ({where}: {problem['msg']})") from None


def read_rows(folder: Path) -> Iterator[Row]:
    """Every case's last row, in the order of the data set, one at a time.

    A run may be read while it is written. Raises ``RunError`` for a line in its midst that is damaged.
    """
    file = folder / ROWS
    if not file.is_file():
        return
    places = _places(file)
    with file.open("rb") as rows:
        for _, start in sorted(places.items()):
            rows.seek(start)
            yield Row.of_line(rows.readline())


def _places(file: Path) -> dict[int, int]:
    """Where each case's last row begins."""
    found: dict[int, int] = {}
    with file.open("rb") as rows:
        start = 0
        for line in rows:
            if not line.endswith(b"\n"):
                break  # being written, or torn
            found[_index(line, file)] = start
            start += len(line)
    return found


def _index(line: bytes, file: Path) -> int:
    try:
        return int(json.loads(line)["index"])
    except (ValueError, TypeError, KeyError):
        raise RunError(f"{file} is damaged at {line[:60]!r}: take that line out, and its case is run again") from None


def _cut(file: Path) -> dict[int, Fate]:
    """What the rows say came of each case; a torn last line, as a kill leaves it, is cut off."""
    if not file.is_file():
        return {}
    done: dict[int, Fate] = {}
    whole = 0
    with file.open("rb") as rows:
        for line in rows:
            if not line.endswith(b"\n"):
                break
            row = _row(line, file)
            done[row.index] = fate(row)
            whole += len(line)
    with file.open("r+b") as rows:
        rows.truncate(whole)
    return done


def _row(line: bytes, file: Path) -> Row:
    try:
        return Row.of_line(line)
    except ValueError:
        raise RunError(f"{file} is damaged at {line[:60]!r}: take that line out, and its case is run again") from None


def _gone_on_with(folder: Path, record: RunRecord) -> RunRecord:
    there = read_record(folder)
    if there.digest != record.digest:
        raise RunError(
            f"{folder} holds a run of {there.name} by panel {there.panel[:8]} from {there.started:%Y-%m-%d %H:%M}, of "
            "other cases, another panel (its archive included) or other settings: name a new folder"
        )
    if there.shard != record.shard:
        raise RunError(f"{folder} holds {_part(there)} of this run, not {_part(record)}: give each shard its folder")
    return there.model_copy(update={"cases": record.cases})


def _part(record: RunRecord) -> str:
    return "the whole" if record.shard is None else f"shard {record.shard.number}/{record.shard.of}"


def _write(file: Path, record: RunRecord) -> None:
    draft = file.with_name(file.name + ".draft")
    draft.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(file)
