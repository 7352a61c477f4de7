"""Text for a terminal: nothing that steers it, and nothing that its encoding cannot show.

Models, archives, data sets and file names may hold what would steer a terminal (``harmless``). What an encoding lacks
is written in ASCII, and nothing is ever an error (``legible``).
"""

import codecs
import io
import re
import unicodedata
from typing import Any

MARK = "�"
ERRORS = "doubleread-legible"
"""Error handler: decorations by what they look like in ASCII, all else as ``\\uXXXX``, which JSON reads too."""
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
"""One character each, so that tables stay straight."""


def harmless(text: str) -> str:
    """The text on one line, with a mark in place of each character that would steer a terminal."""
    return text if text.isprintable() else "".join(one if is_shown(one) else MARK for one in text)


def harmless_lines(text: str) -> str:
    """The same of a text of several lines."""
    return "\n".join(map(harmless, text.split("\n")))


def tamed(data: Any) -> Any:
    """JSON with harmless texts, keys too; tabs and line ends within a text become a blank."""
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
    """Whether a terminal shows a character, and does nothing else."""
    return one.isprintable() or unicodedata.category(one) == "Zs"


def legible(text: str, encoding: str | None) -> str:
    """The text as it can be written in an encoding."""
    return _through(text, encoding, ERRORS)


def legible_json(text: str, encoding: str | None) -> str:
    """JSON that says the same and can be written in an encoding: pure ASCII where that is none of Unicode."""
    unicode = encoding is None or codecs.lookup(encoding).name.startswith("utf")
    return _through(text, encoding if unicode else "ascii", _ESCAPES)


def prepare(*streams: Any) -> None:
    """From now on these streams write what their encoding lacks in ASCII."""
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
