"""Parses numbers as people write them."""

import math
import re

from doubleread.sessions.names import Unclear

NUMBER = r"(?:\d+(?:[.,]\d+)?|[.,]\d+)"
_AMOUNT = re.compile(NUMBER)
_SHARE = re.compile(rf"(?P<number>{NUMBER})\s*(?P<percent>%|per ?cent|percent)?")
_OUT_OF = re.compile(r"(?P<part>\d+|one) (?:in|of|out of) (?P<whole>\d+|two|three|four|five|six|seven|eight|nine|ten)")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TIMES = {"twice": 2.0, "double": 2.0, "thrice": 3.0, "half": 0.5}


def amount(text: str) -> float:
    """Parses a number of at least 0, with a decimal point or comma. Raises ``Unclear``."""
    said = text.strip().casefold()
    if said in ("nothing", "free"):
        return 0.0
    if said in _WORDS:
        return float(_WORDS.index(said))
    if not _AMOUNT.fullmatch(said):
        raise Unclear(f"“{text}” is no number: write it like 0.5 or 5")
    if re.search(r",\d{3}$", said):
        raise Unclear(f"“{text}” may be read two ways: write it without a comma")
    value = float(said.replace(",", "."))
    if not math.isfinite(value):
        raise Unclear(f"“{text}” is too large a number")
    return value


def count(text: str, most: int = 1000) -> int:
    """Parses a whole number from 1 to ``most``. Raises ``Unclear``."""
    value = amount(text)
    if value != int(value) or not 1 <= value <= most:
        raise Unclear(f"“{text}” is no number of cases: write a whole number from 1 to {most}")
    return int(value)


def share(text: str) -> float:
    """Parses a share between 0 and 1: ``30 %``, ``0.3`` or ``1 in 10``. Raises ``Unclear``."""
    said = text.strip().casefold()
    parts = _OUT_OF.fullmatch(said)
    if parts:
        whole = amount(parts["whole"])
        value = amount(parts["part"]) / whole if whole else math.inf
    elif written := _SHARE.fullmatch(said):
        value = amount(written["number"]) / (100 if written["percent"] else 1)
    else:
        raise Unclear(f"“{text}” is no share of cases: write it like 30% or 0.3")
    if not 0 < value < 1:
        raise Unclear(f"“{text}” cannot be a share of the cases: it lies between 0 and 1, such as 30% or 0.3")
    return value


def factor(text: str) -> float:
    """Parses a factor: ``twice``, ``half``, ``three times``, ``x2``. Raises ``Unclear``."""
    said = text.strip().casefold()
    value = _TIMES.get(said) or amount(re.sub(r"^[x×]|[x×]$| times$", "", said).strip())
    if not value:
        raise Unclear(f"“{text}” times as common is not at all: name a number above 0")
    return value
