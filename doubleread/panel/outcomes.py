"""Confirmed outcomes of a panel: an append-only file that several processes may write.

A new confirmation of a case supersedes the earlier one; a retraction removes it. The history stays. Each line ends
with a digest of itself and of the line before, and ``outcomes.head.json`` holds the minimum number of lines. So lines
that were changed, deleted, duplicated, swapped or cut off are detected when the file is read.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.durable import append_lines, write_file
from doubleread.core.errors import FileError, PanelError
from doubleread.core.reading import Outcome, Retraction
from doubleread.core.safe_files import inside, read_bytes, read_json
from doubleread.panel.trust_pointer import locked

FILE = "outcomes.jsonl"
HEAD = "outcomes.head.json"
START = "0" * 16
"""Used as the digest before the first line."""
RESTORE = f"put back a whole copy of {FILE} and {HEAD}, or move both away and confirm again"
_CHAINED = re.compile(rb'(\{.*),"chain":"([0-9a-f]{16})"\}', re.DOTALL)
_HEAD_LIMIT = 10_000


class OutcomeEntry(Record):
    """One line of the file, without its digest."""

    outcome: Outcome | None = None
    retraction: Retraction | None = None


class OutcomesHead(Record):
    """The minimum number of lines, and the digest of the last of them."""

    count: int = Field(default=0, ge=0)
    digest: str = START


@dataclass(frozen=True)
class Outcomes:
    """The current outcomes. ``standing`` are in the order in which their cases were first confirmed."""

    standing: tuple[Outcome, ...] = ()
    history: tuple[OutcomeEntry, ...] = ()
    problems: tuple[str, ...] = ()
    """An incomplete last line, left by a killed process."""


def read_outcomes(folder: Path) -> Outcomes:
    """Reads the outcomes of a panel folder; none if there is no file. An incomplete last line is only reported.

    Raises ``PanelError`` if the file cannot be read or is damaged.
    """
    head = _head(folder)  # read first, since lines are written before the head
    lines, torn = _lines(folder)
    path, digest, standing, history = folder / FILE, START, dict[str, Outcome](), []
    for number, line in enumerate(lines, start=1):
        body, digest = _checked(path, number, line, digest)
        entry = _entry(path, number, body)
        history.append(entry)
        if entry.outcome is not None:
            standing[entry.outcome.case] = entry.outcome
        elif entry.retraction is not None:
            standing.pop(entry.retraction.case, None)
    _check_head(folder, head, lines)
    problems = (f"{path}: the last line is cut short, and was left out",) if torn else ()
    return Outcomes(tuple(standing.values()), tuple(history), problems)


def find_outcome(folder: Path, case: str) -> Outcome | None:
    """Returns the standing outcome of one case, without parsing other lines or checking the file."""
    found: Outcome | None = None
    for number, line in enumerate(_lines(folder)[0], start=1):
        if case.encode() in line and (match := _CHAINED.fullmatch(line)):
            entry = _entry(folder / FILE, number, match[1] + b"}")
            if entry.outcome is not None and entry.outcome.case == case:
                found = entry.outcome
            elif entry.retraction is not None and entry.retraction.case == case:
                found = None
    return found


def add_entries(folder: Path, entries: Sequence[OutcomeEntry]) -> None:
    """Appends lines, all or none; they are on disk when it returns. An incomplete last line is cut off.

    Raises ``FileError`` if the file cannot be written and ``PanelError`` if it is damaged; it then stays as it was.
    """
    with locked(folder):
        head, (lines, _) = _head(folder), _lines(folder)
        _check_head(folder, head, lines)
        digest = _stated(folder / FILE, len(lines), lines[-1]) if lines else START
        added = b""
        for entry in entries:
            body = entry.model_dump_json(exclude_defaults=True).encode()
            digest = _digest(digest, body)
            added += body[:-1] + f',"chain":"{digest}"}}\n'.encode()
        append_lines(folder / FILE, added)
        with suppress(FileError):  # the lines are stored; the next write updates the head
            now = OutcomesHead(count=len(lines) + len(entries), digest=digest)
            write_file(folder / HEAD, json.dumps(now.model_dump()).encode())


@contextmanager
def sensible(folder: Path) -> Iterator[None]:
    """Reports outcomes that the panel's own parts cannot process as damage."""
    try:
        yield
    except PanelError:
        raise
    except Exception as error:  # noqa: BLE001 - parts may raise anything on invalid contents
        told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise PanelError(f"{folder / FILE} holds outcomes that the panel cannot use: {told}; {RESTORE}") from None


def _head(folder: Path) -> OutcomesHead:
    path = folder / HEAD
    try:
        if not path.exists():
            return OutcomesHead()
        return OutcomesHead.model_validate(read_json(inside(folder, HEAD), limit=_HEAD_LIMIT))
    except (FileError, ValueError) as error:
        raise PanelError(f"{path} is damaged: {' '.join(str(error).split())[:200]}; {RESTORE}") from None


def _lines(folder: Path) -> tuple[list[bytes], bytes]:
    """Returns the complete lines, and an incomplete last line."""
    try:
        path = inside(folder, FILE)
        *lines, torn = read_bytes(path).split(b"\n") if path.exists() else [b""]
    except FileError as error:
        raise PanelError(f"{error}; {RESTORE}") from None
    return lines, torn


def _checked(path: Path, number: int, line: bytes, before: str) -> tuple[bytes, str]:
    """Returns a line without its digest, and the digest, after checking it against the line before."""
    digest = _stated(path, number, line)
    body = line[: line.rindex(b',"chain":')] + b"}"
    if _digest(before, body) != digest:
        raise PanelError(f"{path}, line {number} is damaged, or does not follow the line before it; {RESTORE}")
    return body, digest


def _stated(path: Path, number: int, line: bytes) -> str:
    if not (match := _CHAINED.fullmatch(line)):
        raise PanelError(f"{path}, line {number} is damaged: it is no outcome; {RESTORE}")
    return match[2].decode()


def _entry(path: Path, number: int, body: bytes) -> OutcomeEntry:
    try:
        return OutcomeEntry.model_validate_json(body)
    except ValueError:
        raise PanelError(f"{path}, line {number} is damaged: it is no outcome; {RESTORE}") from None


def _check_head(folder: Path, head: OutcomesHead, lines: Sequence[bytes]) -> None:
    path = folder / FILE
    if len(lines) < head.count:
        raise PanelError(f"{path} is damaged: {head.count} lines were written, and {len(lines)} are there; {RESTORE}")
    if head.digest != (_stated(path, head.count, lines[head.count - 1]) if head.count else START):
        raise PanelError(f"{folder / HEAD} does not belong to {path}: one of them is damaged; {RESTORE}")


def _digest(before: str, body: bytes) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()[:16]
