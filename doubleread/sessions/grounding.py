"""Whether the numbers of a text were told before: the least that words of a model must hold to."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?:\s*(?P<percent>%|per ?cent\b|percent\b))?", re.IGNORECASE)


def numbers(text: str) -> dict[tuple[str, bool], str]:
    """The numbers of a text, each with whether it is in per cent, and as it stands there."""
    return {(_digits(found), bool(found["percent"])): found[0] for found in _NUMBER.finditer(text)}


def untold(text: str, told: Iterable[str]) -> tuple[str, ...]:
    """Numbers of a text that occur in none of those that were told: not with the same digits, and the same per cent."""
    known = {number for one in told for number in numbers(one)}
    return tuple(written for number, written in numbers(text).items() if number not in known)


def _digits(found: re.Match[str]) -> str:
    return re.split(r"\s*(?:%|p)", found[0].casefold())[0].strip()
