"""Confirmed outcomes of a panel: a file that is only ever added to, by several processes if need be.

Confirming a case again supersedes what was said of it before; a retraction takes it back. The history stays.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import portalocker
from pydantic import ValidationError

from doubleread.agents.recorded.recorder import cut_torn_tail
from doubleread.core.base import Record
from doubleread.core.errors import PanelError
from doubleread.core.reading import Outcome, Retraction

FILE = "outcomes.jsonl"


class Entry(Record):
    """One line of the file."""

    outcome: Outcome | None = None
    retraction: Retraction | None = None


@dataclass(frozen=True)
class Outcomes:
    """What the file says now. ``standing`` are in the order in which their cases were first confirmed."""

    standing: tuple[Outcome, ...] = ()
    history: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    """Lines that could not be read, and why."""


def read_outcomes(folder: Path) -> Outcomes:
    """The outcomes kept in a panel folder; none where there is no file. Half a line at the end is left out and told.

    Raises ``PanelError`` where the file cannot be opened.
    """
    path = folder / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Outcomes()
    except OSError as error:
        raise PanelError(f"{path} cannot be read: {error.strerror}") from None
    *lines, torn = data.split(b"\n")
    problems = ["the last line is cut short, and was left out"] if torn else []
    history, standing = [], dict[str, Outcome]()
    for number, line in enumerate(lines, start=1):
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            problems.append(f"line {number} is no outcome, and was left out")
            continue
        history.append(entry)
        if entry.outcome is not None:
            standing[entry.outcome.case] = entry.outcome
        elif entry.retraction is not None:
            standing.pop(entry.retraction.case, None)
    return Outcomes(tuple(standing.values()), tuple(history), tuple(f"{path}: {problem}" for problem in problems))


def add_entries(folder: Path, entries: Sequence[Entry]) -> None:
    """Adds lines, on disk when it returns; half a line that a crash left behind is cut off first.

    Raises ``PanelError`` where the file cannot be written.
    """
    path = folder / FILE
    lines = b"".join(entry.model_dump_json(exclude_defaults=True).encode() + b"\n" for entry in entries)
    try:
        with path.open("ab", buffering=0) as file:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
            cut_torn_tail(path)
            file.write(lines)
            os.fsync(file.fileno())
    except (OSError, portalocker.LockException) as error:
        raise PanelError(f"{path} cannot be written: {error}; nothing was confirmed") from None
