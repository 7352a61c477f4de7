"""The folder of a run: begun once, appended to, gone on with, and read as a stream."""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError

from doubleread.core.durable import AppendFile, told, write_file
from doubleread.core.errors import FileError, RunError, StoreBusy, StoreError
from doubleread.core.folder_lock import LOCK_NAME, FolderLock
from doubleread.core.safe_files import open_regular, parse_json, read_bytes
from doubleread.core.safe_text import MAX_LINE, byte_lines
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_record import IRRELEVANT, RunRecord

RECORD, ROWS = "run.json", "rows.jsonl"
Fate = Literal["verdict", "degraded", "unread"]
"""``degraded``: an agent could not be reached, or failed; another time it might answer."""
_BEGINS = re.compile(rb'\{"index":(\d{1,12}),"case":\{')
"""A row tells its place first."""
_JOINED_AT_ONCE = 500
_PASSING = frozenset({"timeout", "rate-limit", "quota", "server", "network", "failure"})


class RunFolder:
    """A run that is written to. One process holds it; a row is on disk when ``append`` returns."""

    def __init__(self, folder: Path, record: RunRecord, lock: FolderLock) -> None:
        self.folder, self.record, self._lock, self._guard = folder, record, lock, threading.Lock()
        self.done: dict[int, Fate] = {}
        """What came of each case so far, by its place."""
        with _as_run_error(), ExitStack() as undo:
            self._rows = undo.enter_context(AppendFile(folder / ROWS))
            self._rows.append(b"")  # cuts off half a line, as a kill leaves it
            self.done.update((row.index, fate(row)) for row in _all_rows(folder / ROWS))
            undo.pop_all()

    @classmethod
    def begin(cls, folder: Path, record: RunRecord) -> Self:
        """A new run, or the one that is there if it is of the same cases, panel and settings.

        A run that was killed before its head was written is begun again. Raises ``RunError`` where the folder holds
        another run or something else, another process writes to it, or the disk refuses.
        """
        _check_place(folder)
        try:
            with told(folder, "the run was not started"):
                folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(folder, shared=False)
        except StoreBusy:
            raise RunError(f"another process is writing to {folder}; wait for it, or choose another folder") from None
        except (FileError, StoreError) as error:
            raise RunError(str(error)) from None
        try:
            if (folder / RECORD).exists():
                record = _gone_on_with(folder, record)
            with _as_run_error():
                write_file(folder / RECORD, (record.model_dump_json(indent=1) + "\n").encode())
            return cls(folder, record, lock)
        except BaseException:
            lock.release()
            raise

    def append(self, *rows: Row) -> None:
        """Writes rows, all or none of them; they are on disk when this returns. Raises ``RunError`` where it cannot."""
        with self._guard, _as_run_error():
            self._rows.append(b"".join(row.line().encode() + b"\n" for row in rows))
        self.done.update((row.index, fate(row)) for row in rows)

    def known(self) -> dict[str, tuple[int, str]]:
        """The place and the id of each case that has a row, by the path of its file."""
        found = dict[str, tuple[int, str]]()
        for line in _whole_lines(file := self.folder / ROWS):
            try:
                row = parse_json(line, file)
                if path := row["case"].get("path"):
                    found[path] = row["index"], row["case"]["id"]
            except (FileError, KeyError, TypeError, AttributeError):
                _row(line, file)  # says what is wrong with it
        return found

    def recount(self) -> None:
        """Writes into the head how many cases have a row, for a run whose cases were not known at its begin."""
        self.record = self.record.model_copy(update={"cases": len(self.done)})
        with self._guard, _as_run_error():
            write_file(self.folder / RECORD, (self.record.model_dump_json(indent=1) + "\n").encode())

    def close(self) -> None:
        """Lets others write; a second call does nothing."""
        with self._guard:
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
    if not (folder / RECORD).exists():
        raise RunError(f"{folder} contains no run (no {RECORD}); make one with `doubleread evaluate`")
    try:
        return RunRecord.model_validate_json(read_bytes(folder / RECORD))
    except FileError as error:
        raise RunError(str(error)) from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise RunError(
            f"{folder / RECORD} is not the record of a run ({where[:100]}: {problem['msg'][:200]})"
        ) from None


def read_rows(folder: Path) -> Iterator[Row]:
    """Every case's last row, in the order of the data set, one at a time.

    A run may be read while it is written. Raises ``RunError`` for a line in its midst that is damaged.
    """
    file = folder / ROWS
    if not file.exists():
        return
    places = dict[int, int]()
    start = 0
    for line in _whole_lines(file):
        places[_index(line, file)] = start
        start += len(line)
    with open_regular(file) as rows:
        for _, start in sorted(places.items()):
            rows.seek(start)
            yield _row(rows.readline(MAX_LINE), file)


def join(shards: Sequence[Path], out: Path) -> Path:
    """Writes the rows of several shards into a new run; returns its folder.

    Raises ``RunError`` where they are not of one run, one shard is given twice, or ``out`` cannot be written.
    """
    heads = {folder: read_record(folder) for folder in shards}
    first = next(iter(heads.values()))
    for folder, head in heads.items():
        if head.digest != first.digest:
            raise RunError(
                f"{folder} and {shards[0]} are shards of different runs: their cases, panel or settings differ"
            )
    parts = [head.shard for head in heads.values()]
    if None in parts or len(set(parts)) < len(parts) or len(heads) < len(shards):
        raise RunError("to join shards, name each shard of one run once (folders made with --shard)")
    whole = first.model_copy(update={"shard": None, "cases": sum(head.cases for head in heads.values())})
    with RunFolder.begin(out, whole) as joined:
        for folder in shards:
            missing = (row for row in read_rows(folder) if row.index not in joined.done)
            while some := tuple(islice(missing, _JOINED_AT_ONCE)):
                joined.append(*some)
    return out


def _all_rows(file: Path) -> Iterator[Row]:
    return (_row(line, file) for line in _whole_lines(file))


def _whole_lines(file: Path) -> Iterator[bytes]:
    """All lines but one that is being written, or torn."""
    try:
        yield from byte_lines(file, torn=True)
    except FileError as error:
        raise RunError(str(error)) from None


def _index(line: bytes, file: Path) -> int:
    found = _BEGINS.match(line)
    return _row(line, file).index if found is None else int(found[1])


def _row(line: bytes, file: Path) -> Row:
    try:
        return Row.of_line(line)
    except ValueError:
        raise RunError(
            f"{file} is damaged at {line[:60]!r}: delete this line, and its case will be run again"
        ) from None


def _check_place(folder: Path) -> None:
    """Raises ``RunError`` where the folder holds something else than a run, whole or half-begun."""
    try:
        names = {one.name for one in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise RunError(f"{folder} cannot be used for a run ({error.strerror}); choose another folder") from None
    begun = {name for name in names if name in (LOCK_NAME, f"{RECORD}.draft") or name.startswith(f".{RECORD}.part-")}
    if names - begun and RECORD not in names:
        raise RunError(f"{folder} is not empty and contains no run (no {RECORD}); choose a new folder")


@contextmanager
def _as_run_error() -> Iterator[None]:
    try:
        yield
    except FileError as error:
        raise RunError(f"{error}; the same command then resumes") from None


def _gone_on_with(folder: Path, record: RunRecord) -> RunRecord:
    there = read_record(folder)
    if there.digest != record.digest:
        raise RunError(
            f"{folder} contains another run (of {there.name} by panel {there.panel[:8]}, started "
            f"{there.started:%Y-%m-%d %H:%M}): {_difference(there, record)}; choose a new folder"
        )
    if there.shard != record.shard:
        raise RunError(
            f"{folder} contains {_part(there)} of this run, not {_part(record)}; use a separate folder for each shard"
        )
    return there.model_copy(update={"cases": record.cases})


def _difference(there: RunRecord, record: RunRecord) -> str:
    """What is known to differ between two runs."""
    whose = {"panel": there.panel != record.panel, "archive of cases": there.archive != record.archive}
    settings = [
        f"{table}.{name}"
        for table, values in record.settings.items()
        if isinstance(values, dict) and IRRELEVANT.get(table) is not True
        for name, value in values.items()
        if name not in IRRELEVANT.get(table, ()) and there.settings.get(table, {}).get(name) != value
    ]
    differing = [f"the {what}" for what, differs in whose.items() if differs]
    differing += [f"the settings {', '.join(settings)}"] if settings else []
    return f"{' and '.join(differing) or 'the cases or the task'} changed"


def _part(record: RunRecord) -> str:
    return "the whole" if record.shard is None else f"shard {record.shard.number}/{record.shard.of}"
