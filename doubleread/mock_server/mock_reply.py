"""What the server is told to say."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import parse_json
from doubleread.core.safe_text import text_lines


@dataclass(frozen=True)
class Received:
    """A request as it came in; header names are in lower case, ``at`` is in monotonic seconds."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float


@dataclass(frozen=True)
class Reply:
    """A well-formed answer."""

    text: str = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    model: str = "mock-1"
    input_tokens: int = 100
    output_tokens: int = 20
    cached_tokens: int = 0
    logprobs: tuple[tuple[tuple[str, float], ...], ...] = ()
    """For each token its alternatives with their log-probability, the chosen one first."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """Class probabilities, for ``/decisions``."""
    tool_calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Functions to be called, each with its arguments."""
    delay_s: float = 0.0


@dataclass(frozen=True)
class Fault:
    """A failure by name, one of ``faults.FAULTS``."""

    name: str
    retry_after: float | None = None
    status: int = 500
    message: str = ""


def read_script(path: Path) -> list[Reply | Fault]:
    """What to say, in order: lines such as ``{"text": "…"}``, ``{"refusal": "…"}`` or ``{"fault": "html"}``.

    The keys are those of ``Reply`` and ``Fault``. Raises ``DataError`` for a line that is neither.
    """
    said: list[Reply | Fault] = []
    try:
        lines = list(text_lines(path))
    except FileError as error:
        raise DataError(str(error)) from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = parse_json(line, path)
                said.append(Fault(row.pop("fault"), **row) if "fault" in row else Reply(**row))
            except (FileError, TypeError, AttributeError):
                known = ", ".join(one.name for one in fields(Reply))
                raise DataError(f"{path}:{number} is no reply: give `fault`, or some of {known}") from None
    return said
