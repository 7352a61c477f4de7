"""The labels and groups of rows, as they are kept: normal form, renamed where asked for, without missing values."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError
from doubleread.core.label_likeness import nearest
from doubleread.core.label_text import is_missing, keep_hint, normal
from doubleread.core.notices import Caution, first_few

if TYPE_CHECKING:
    from doubleread.evals.datasets._dataset_rows import DatasetRow

_SHOWN = 20
"""Labels listed in a message."""


class NamedRows(NamedTuple):
    """Rows with their final labels and groups."""

    rows: list["DatasetRow"]
    problems: list[RowProblem]
    notes: tuple[str, ...]


def with_labels(rows: Sequence["DatasetRow"], label_map: Mapping[str, str] | None) -> NamedRows:
    """Returns rows with normal and renamed labels; those whose label is a word for a missing value are problems.

    A word for a missing value is a label only if ``label_map`` names it. As a group or a subject it is none. Raises
    ``DataError`` if ``label_map`` renames a label that no row has.
    """
    spelt: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        spelt[normal(row.label)].add(row.label)
    names = _new_names(label_map or {}, spelt)
    kept: list[DatasetRow] = []
    problems: list[RowProblem] = []
    ungrouped: Counter[tuple[str, str]] = Counter()
    for row in rows:
        label = normal(row.label)
        if label not in names and is_missing(label):
            problems.append(row.problem("images without a label", _missing(label)))
            continue
        group, subject = _key(row.group, "group", ungrouped), _key(row.subject, "subject", ungrouped)
        kept.append(replace(row, label=names.get(label, label), group=group, subject=subject))
    return NamedRows(kept, problems, (*_merged(spelt), *_renamed(names, rows), *_without_key(ungrouped)))


def _missing(label: str) -> str:
    if not label:
        return "the label is empty"
    return f"the label {label!r} is a word for a missing value; {keep_hint(label)}"


def _key(given: str | None, what: str, ungrouped: Counter[tuple[str, str]]) -> str | None:
    text = None if given is None else normal(given)
    if text and is_missing(text):
        ungrouped[what, text] += 1
        return None
    return text or None


def _new_names(label_map: Mapping[str, str], spelt: Iterable[str]) -> dict[str, str]:
    """Returns the new names of labels. Labels may contain ``=``, where ``OLD=NEW`` was cut at the first one."""
    known = set(spelt)
    names: dict[str, str] = {}
    for old, new in label_map.items():
        parts = f"{old}={new}".split("=")
        cuts = [("=".join(parts[:i]), "=".join(parts[i:])) for i in range(1, len(parts))]
        found = [(normal(left), normal(right)) for left, right in cuts if normal(left) in known and right.strip()]
        if normal(old) in known:
            found = [(normal(old), normal(new))]
        if not found:
            raise DataError(_unknown(normal(old), sorted(known)))
        names[found[0][0]] = found[0][1]
    return names


def _unknown(old: str, known: Sequence[str]) -> str:
    near = nearest(old, known)
    guess = f" Did you mean {near!r}?" if near else ""
    listed = ", ".join(first_few(list(map(repr, known)), "{n:,} more", _SHOWN))
    return f"no row has the label {old!r}, so it cannot be renamed (--map OLD=NEW).{guess} Labels: {listed}"


def _merged(spelt: Mapping[str, set[str]]) -> list[str]:
    return [
        f"label {name!r} is written in {len(ways)} ways that look the same (Unicode forms or blanks); read as one label"
        for name, ways in spelt.items()
        if name and len({way.strip() for way in ways}) > 1
    ]


def _renamed(names: Mapping[str, str], rows: Sequence["DatasetRow"]) -> list[str]:
    counts = Counter(normal(row.label) for row in rows)
    return [f"label {old!r} is renamed {new!r}: {counts[old]:,} rows" for old, new in names.items() if old != new]


def _without_key(ungrouped: Counter[tuple[str, str]]) -> list[Caution]:
    return [
        Caution(f"{n:,} rows have no {what}: {word!r} is a word for a missing value and joins nothing")
        for (what, word), n in ungrouped.items()
    ]
