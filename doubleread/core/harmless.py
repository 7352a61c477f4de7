"""Text that others wrote, for a terminal: models, archives, data sets and file names may hold what would steer it."""

import re
import unicodedata
from typing import Any

MARK = "�"


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
