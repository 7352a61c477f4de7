"""Labels of data that a task does not know: what to say of them."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from doubleread.core.case import Case
from doubleread.core.label_likeness import nearest
from doubleread.core.label_text import as_known, is_missing


def kept_words(names: Iterable[str]) -> dict[str, str]:
    """Returns a map that keeps the labels of a task that are words for missing values, such as ``none``."""
    return {name: name for name in names if is_missing(name)}


def as_task_spells(cases: Iterable[Case], names: tuple[str, ...]) -> list[Case]:
    """Returns cases whose labels have the Unicode form that the task's labels have."""
    return [case if not case.label or case.label in names else _spelt(case, case.label, names) for case in cases]


def unknown_labels(cases: Iterable[Case], names: Sequence[str]) -> Counter[str]:
    """Returns the labels that are none of these names, with their numbers of cases."""
    return Counter(case.label for case in cases if case.label is not None and case.label not in names)


def renaming(unknown: Iterable[str], names: Sequence[str]) -> str:
    """Returns the options that rename unknown labels to the nearest names; empty if no name is near."""
    near = ((label, nearest(label, names)) for label in unknown)
    return " ".join(f"--map {shlex.quote(f'{label}={name}')}" for label, name in near if name)


def hint(unknown: Iterable[str], names: Sequence[str]) -> str:
    """Returns a sentence that says how to rename unknown labels, or which labels there are."""
    if options := renaming(unknown, names):
        return f"if they are spelt differently only, rename them: {options}"
    return f"the panel's labels are {', '.join(names)}; --map OLD=NEW renames a label"


def _spelt(case: Case, label: str, names: tuple[str, ...]) -> Case:
    return case.model_copy(update={"label": as_known(label, names)})
