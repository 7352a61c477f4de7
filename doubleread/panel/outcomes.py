"""Confirmed outcomes of a panel: a file that is only ever added to, by several processes if need be.

Confirming a case again supersedes what was said of it before; a retraction takes it back. The history stays. Each line
ends with a digest of itself and of the line before, and ``outcomes.head.json`` tells how many lines there were at
least: what was changed, deleted, doubled, swapped or cut off later is noticed when the file is read.
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
"""In the place of a digest before the first line."""
RESTORE = f"put back a whole copy of {FILE} and {HEAD}, or move both away and confirm again"
_CHAINED = re.compile(rb'(\{.*),"chain":"([0-9a-f]{16})"\}', re.DOTALL)
_HEAD_LIMIT = 10_000


class OutcomeEntry(Record):
    """One line of the file, without its digest."""

    outcome: Outcome | None = None
    retraction: Retraction | None = None


class OutcomesHead(Record):
    """How many lines there were at least, and the digest of the last of them."""

    count: int = Field(default=0, ge=0)
    digest: str = START


@dataclass(frozen=True)
class Outcomes:
    """What the file says now. ``standing`` are in the order in which their cases were first confirmed."""

    standing: tuple[Outcome, ...] = ()
    history: tuple[OutcomeEntry, ...] = ()
    problems: tuple[str, ...] = ()
    """Half a line at the end, which a process that was killed left behind."""


def read_outcomes(folder: Path) -> Outcomes:
    """The outcomes kept in a panel folder; none where there is no file. Half a line at the end is left out and told.

    Raises ``PanelError`` where the file cannot be read or is damaged.
    """
    head = _head(folder)  # before the lines: they are written first
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
    """What stands of one case now; looks at no other line, and does not check the file."""
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
    """Adds lines, all or none of them; they are on disk when this returns.

    Half a line that a crash left behind is cut off. Raises ``FileError`` where the file cannot be written, and
    ``PanelError`` where it is damaged; then it is as it was before.
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
        with suppress(FileError):  # the lines are stored; a head that is behind is caught up with next time
            now = OutcomesHead(count=len(lines) + len(entries), digest=digest)
            write_file(folder / HEAD, json.dumps(now.model_dump()).encode())


@contextmanager
def sensible(folder: Path) -> Iterator[None]:
    """Outcomes that the panel's own parts can make nothing of are damage as well."""
    try:
        yield
    except PanelError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a part makes of contents that make no sense
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
    """The whole lines, and half a line at the end."""
    try:
        path = inside(folder, FILE)
        *lines, torn = read_bytes(path).split(b"\n") if path.exists() else [b""]
    except FileError as error:
        raise PanelError(f"{error}; {RESTORE}") from None
    return lines, torn


def _checked(path: Path, number: int, line: bytes, before: str) -> tuple[bytes, str]:
    """A line without its digest, and the digest, which must follow from the line before."""
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
