"""Makes text safe and printable for a terminal.

Models, archives, data sets and file names may contain control characters, which ``harmless`` replaces. Characters that
an encoding lacks are written in ASCII (``legible``), so that printing never fails.
"""

import codecs
import io
import re
import unicodedata
from typing import Any

MARK = "�"
ERRORS = "doubleread-legible"
"""Error handler: writes decorations as similar ASCII, all else as ``\\uXXXX``, which JSON reads too."""
_ESCAPES = "doubleread-escapes"
_LOOKS = {
    **dict.fromkeys("•●◇", "*"),
    "·": ".",
    **dict.fromkeys("–—−‐‑─━", "-"),
    **dict.fromkeys("│┃┤├┘└┐┌╵╷", "|"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("█▀▄▌▐", "#"),
    "✓": "v",
    "✗": "x",
    "…": "~",
    "→": ">",
    "←": "<",
    "◄": "<",
    "▲": "^",
    "▼": "v",
    "×": "x",
    "≤": "<",
    "≥": ">",
    "≈": "~",
    "⚑": "!",
    "⚠": "!",
    "‼": "!",
    "\N{REPLACEMENT CHARACTER}": "?",
    "\N{NO-BREAK SPACE}": " ",
    "\N{THIN SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
}
"""One ASCII character for each, so that tables stay aligned."""


def harmless(text: str) -> str:
    """Returns the text on one line, with a mark in place of each control character."""
    return text if text.isprintable() else "".join(one if is_shown(one) else MARK for one in text)


def harmless_lines(text: str) -> str:
    """Like ``harmless``, for a text of several lines."""
    return "\n".join(map(harmless, text.split("\n")))


def tamed(data: Any) -> Any:
    """Returns JSON with harmless texts and keys; tabs and line ends in a text become a space."""
    match data:
        case str():
            return harmless(re.sub(r"[\t\r\n]+", " ", data))
        case list():
            return [tamed(one) for one in data]
        case dict():
            return {tamed(key): tamed(value) for key, value in data.items()}
        case _:
            return data


def is_shown(one: str) -> bool:
    """Whether a terminal shows a character and does nothing else."""
    return one.isprintable() or unicodedata.category(one) == "Zs"


def legible(text: str, encoding: str | None) -> str:
    """Returns the text with only characters that an encoding has."""
    return _through(text, encoding, ERRORS)


def legible_json(text: str, encoding: str | None) -> str:
    """Returns equivalent JSON that can be written in an encoding: pure ASCII unless it is a Unicode encoding."""
    unicode = encoding is None or codecs.lookup(encoding).name.startswith("utf")
    return _through(text, encoding if unicode else "ascii", _ESCAPES)


def prepare(*streams: Any) -> None:
    """Makes these streams write characters that their encoding lacks in ASCII."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def _through(text: str, encoding: str | None, errors: str) -> str:
    if text.isascii():
        return text
    name = encoding or "utf-8"
    return text.encode(name, errors).decode(name)


def _as_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_LOOKS.get(one) or _escape(one) for one in error.object[error.start : error.end]), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escape, error.object[error.start : error.end])), error.end


def _escape(one: str) -> str:
    units = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))


codecs.register_error(ERRORS, _as_ascii)
codecs.register_error(_ESCAPES, _escaped)
