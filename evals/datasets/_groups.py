"""Group keys: what was photographed together must stay together.

``series,capture//10`` joins columns and cuts a running number into blocks of ten;
``re:(plant\\d+)`` takes the captured part of a relative path.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

from doubleread.core.errors import DataError
from doubleread.core.label_text import is_missing
from doubleread.evals.datasets.read_choice import ReadChoice

GroupOf = Callable[[Mapping[str, str]], str | None]
"""The group of a row, None where the row names none; raises ``ValueError`` where it cannot be worked out."""

_PATTERN = "re:"


class RowKeys(NamedTuple):
    """What gives the group and the subject of a row, and notes about it."""

    group: GroupOf | None
    subject: GroupOf | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, choice: ReadChoice, columns: Collection[str], path_column: str) -> Self:
        """The chosen expressions, or the columns ``group`` and ``subject`` where there are such.

        Raises what ``group_key`` raises.
        """
        named = {"group": choice.group, "subject": choice.subject}
        chosen = {what: text or (what if what in columns else None) for what, text in named.items()}
        notes = tuple(f"{what} key: {text}" for what, text in chosen.items() if text)
        rules = {what: group_key(text, columns, path_column) if text else None for what, text in chosen.items()}
        return cls(**rules, notes=notes)

    def of_row(self, values: Mapping[str, str]) -> tuple[str | None, str | None]:
        """The group and the subject; a row without a group belongs to the group of its subject.

        Raises ``ValueError`` where one cannot be worked out.
        """
        group, subject = (rule(values) if rule else None for rule in (self.group, self.subject))
        return (subject if group is None else group), subject


def group_key(expression: str, columns: Collection[str], path_column: str, what: str = "group") -> GroupOf:
    """The rule that an expression stands for. A word for a missing value is returned as it is, also for joined columns.

    Raises ``DataError`` for a column that is not there, a block size that is not a whole number above 0,
    or a pattern that cannot be used.
    """
    if expression.startswith(_PATTERN):
        return _by_pattern(expression.removeprefix(_PATTERN), path_column, what)
    terms = [_term(part.strip(), columns) for part in expression.split(",")]

    def joined(row: Mapping[str, str]) -> str | None:
        parts = [term(row) or "" for term in terms]
        return next((part for part in parts if is_missing(part)), "|".join(parts)) or None

    return joined


def _term(text: str, columns: Collection[str]) -> GroupOf:
    column, blocks, size = (part.strip() for part in text.partition("//"))
    if column not in columns:
        raise DataError(f"there is no column {column!r} for groups; columns: {', '.join(columns)}")
    if not blocks:
        return lambda row: row.get(column, "").strip() or None
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", size):
        raise DataError(
            f"group {text[:60]!r}: the block size must be a whole number above 0, as in {column}//10, not {size[:20]!r}"
        )
    return lambda row: _block(row.get(column, "").strip(), column, int(size))


def _block(text: str, column: str, size: int) -> str | None:
    if is_missing(text):
        return text or None
    try:
        return str(int(float(text.replace(",", ".")) // size))  # a decimal comma
    except (ValueError, OverflowError):
        raise ValueError(
            f"column {column!r} contains {text[:60]!r}, which is not a number, so it has no block"
        ) from None


def _by_pattern(pattern: str, path_column: str, what: str) -> GroupOf:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"{what} {_PATTERN}{pattern}: not a regular expression: {error}") from None
    if not compiled.groups:
        raise DataError(f"{what} {_PATTERN}{pattern}: put the part that names the {what} in round brackets")

    def captured(row: Mapping[str, str]) -> str | None:
        found = compiled.search(row[path_column])
        parts = [part for part in found.groups() if part is not None] if found else []
        return "|".join(parts) or None

    return captured
