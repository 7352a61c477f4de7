"""Support to fit on, calibration to learn trust on, test to judge on; groups stay whole."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.subject_groups import whole_groups
from doubleread.evals.datasets.label_names import CALIBRATION, SPLITS, SUPPORT, TEST, TEST_SHARE, split_name

FRACTIONS: Mapping[str, float] = MappingProxyType({SUPPORT: 0.5, CALIBRATION: 0.2, TEST: 0.3})
"""Shares of the cases, met as closely as whole groups allow."""

FEWEST_IMAGES, FEWEST_GROUPS = 10, 5
"""``hold_out`` needs as many images and as many groups of each label."""

Counts = Counter[str]
"""Cases by label."""


def split(cases: Sequence[Case], *, fractions: Mapping[str, float] = FRACTIONS, seed: int) -> tuple[Case, ...]:
    """Gives each case a split: ``support`` to fit agents, ``calibration`` to learn trust, or ``test``; keeps the order.

    Whole groups are assigned, largest first, so that every label comes close to its fractions. Splits that the data
    set brings are kept; if it has no calibration split, one is taken from support. A label with only two groups gets no
    calibration cases.

    Args:
        cases: Labelled cases, all with a split or all without.
        fractions: Share of the cases for each split.
        seed: Orders groups of equal size.

    Raises:
        DataError: The fractions do not make sense, only some cases have a split, a split has an unknown name, or
            support or test would have no case of a label.

    Examples:
        >>> from doubleread.evals.splits import split
        >>> cases = split(doubleread.read_dataset("photos").cases, seed=0)
        >>> sum(case.split == "test" for case in cases)
        9
    """
    _check_fractions(fractions)
    if not cases:
        raise DataError("there are no cases to split")
    cases = whole_groups(cases)
    given = sum(case.split is not None for case in cases)
    if given == 0:
        return _checked(_deal(cases, fractions, seed))
    if given < len(cases):
        raise DataError(f"{len(cases) - given} of {len(cases)} cases have no split; give all of them one, or none")
    return _checked(_honour(cases, fractions, seed))


def hold_out(cases: Sequence[Case], *, share: float = TEST_SHARE, seed: int) -> tuple[Case, ...]:
    """Gives about a ``share`` of the cases split ``test``, in whole groups and of every label; keeps the order.

    The other cases keep their split, or get ``support`` if they have none. Cases of split ``calibration``, cases of
    their groups, and cases without a label are never taken. Data that have a split ``test`` are returned unchanged.

    Args:
        cases: The cases, with or without splits.
        share: Share of the cases to hold out, above 0 and below 1.
        seed: Orders groups of equal size.

    Raises:
        DataError: The share is out of range, or a label has fewer than 10 images or 5 groups to divide.

    Examples:
        >>> from doubleread.evals.splits import hold_out
        >>> cases = hold_out(doubleread.read_dataset("photos").cases, seed=0)
        >>> sum(case.split == "test" for case in cases)
        6
    """
    if not 0 < share < 1:
        raise DataError(f"the share of test images must be above 0 and below 1, not {share:g}")
    cases = whole_groups(cases)
    named = [case if case.split is None else _with_split(case, split_name(case.split, case.source)) for case in cases]
    if any(case.split == TEST for case in named):
        return tuple(named)
    fixed = {_group(case) for case in named if case.split == CALIBRATION}
    free = [case for case in named if case.label is not None and _group(case) not in fixed]
    _check_enough(free)
    dealt = iter(_checked(_deal(free, {SUPPORT: 1 - share, TEST: share}, seed)))
    ids = {id(case) for case in free}
    moved = [next(dealt) if id(case) in ids else case for case in named]
    return tuple(case if case.split else _with_split(case, SUPPORT) for case in moved)


def _check_enough(cases: Sequence[Case]) -> None:
    images = Counter(str(case.label) for case in cases)
    groups = Counter(label for label, _ in {(str(case.label), _group(case)) for case in cases})
    scarce = [name for name in sorted(images) if images[name] < FEWEST_IMAGES or groups[name] < FEWEST_GROUPS]
    if scarce or not images:
        least = f"each label needs {FEWEST_IMAGES} images in {FEWEST_GROUPS} groups"
        have = "has" if len(scarce) == 1 else "have"
        raise DataError(f"too few images to keep some back for a test: {least}; {', '.join(scarce)} {have} fewer")


def split_sizes(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """How many cases of each label are in each split: ``sizes[label][split]``."""
    sizes: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SPLITS, 0))
    for case in cases:
        if case.split in SPLITS:
            sizes[case.label or "(no label)"][case.split] += 1
    return dict(sorted(sizes.items()))


def _check_fractions(fractions: Mapping[str, float]) -> None:
    unknown = set(fractions) - set(SPLITS)
    if unknown or not {SUPPORT, TEST} <= set(fractions):
        raise DataError(f"the fractions are for {sorted(fractions)}; give support and test, and optionally calibration")
    if not all(value > 0 for value in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise DataError(f"the fractions {dict(fractions)} must be above 0 and add up to 1")


def _honour(cases: Sequence[Case], fractions: Mapping[str, float], seed: int) -> list[Case]:
    named = [_with_split(case, split_name(case.split or "", case.source)) for case in cases]
    present = {case.split for case in named}
    if not {SUPPORT, TEST} <= present:
        lacking = [name for name in (SUPPORT, TEST) if name not in present]
        raise DataError(
            f"the data's own splits have no {' and no '.join(lacking)}; they are {sorted(map(str, present))}. "
            "Add it, or remove the split column to have the cases split here"
        )
    if CALIBRATION in present or CALIBRATION not in fractions:
        return named
    share = fractions[SUPPORT] + fractions[CALIBRATION]
    inner = {name: fractions[name] / share for name in (SUPPORT, CALIBRATION)}
    dealt = iter(_deal([case for case in named if case.split == SUPPORT], inner, seed))
    return [next(dealt) if case.split == SUPPORT else case for case in named]


def _checked(cases: Sequence[Case]) -> tuple[Case, ...]:
    sizes = split_sizes(cases)
    lacking = [f"{label} ({name})" for label, row in sizes.items() for name in (SUPPORT, TEST) if not row[name]]
    if lacking:
        raise DataError(
            f"labels without a case in a split: {', '.join(lacking)}. Each label needs at least 2 groups, one to "
            "learn from and one to test on: add cases, or use smaller groups"
        )
    return tuple(cases)


def _deal(cases: Sequence[Case], fractions: Mapping[str, float], seed: int) -> list[Case]:
    """Whole groups to splits, each to where its labels are still wanted most."""
    groups: dict[str, Counts] = defaultdict(Counter)
    for case in cases:
        groups[_group(case)][case.label or ""] += 1
    totals = sum(groups.values(), Counter())
    held: dict[str, Counts] = {name: Counter() for name in SPLITS if name in fractions}
    dealt: dict[str, str] = {}
    for group in _order(groups, seed):
        chosen = max(held, key=lambda name: _wanted(groups[group], held[name], totals, fractions[name]))
        dealt[group] = chosen
        held[chosen] += groups[group]
    _mend(groups, dealt, [name for name in (TEST, SUPPORT, CALIBRATION) if name in fractions])
    return [_with_split(case, dealt[_group(case)]) for case in cases]


def _order(groups: Mapping[str, Counts], seed: int) -> list[str]:
    """Groups with rare labels first, then the largest, so that what is hard to place is placed while there is room."""
    among = Counter(label for counts in groups.values() for label in counts)
    order = sorted(groups)
    random.Random(seed).shuffle(order)  # noqa: S311  (a split is no secret)
    return sorted(order, key=lambda group: (min(among[label] for label in groups[group]), -groups[group].total()))


def _wanted(group: Counts, held: Counts, totals: Counts, fraction: float) -> float:
    """Fall of the squared distance from the wanted shares, each label counting alike, if the split gets the group."""
    return sum(
        n * (2 * (fraction * totals[label] - held[label]) - n) / totals[label] ** 2 for label, n in group.items()
    )


def _mend(groups: Mapping[str, Counts], dealt: dict[str, str], splits: Sequence[str]) -> None:
    """Gives a split that lacks a label the smallest group with it that no other split would miss."""
    for label in sorted({label for counts in groups.values() for label in counts}):
        for name in splits:
            have = Counter(dealt[group] for group, counts in groups.items() if counts[label])
            if have[name]:
                continue
            spare = [g for g in groups if groups[g][label] and have[dealt[g]] > 1 and _can_go(g, groups, dealt)]
            if spare:
                dealt[min(spare, key=lambda g: (groups[g].total(), g))] = name


def _can_go(group: str, groups: Mapping[str, Counts], dealt: Mapping[str, str]) -> bool:
    others = [counts for other, counts in groups.items() if other != group and dealt[other] == dealt[group]]
    return all(any(counts[label] for counts in others) for label in groups[group])


def _group(case: Case) -> str:
    return f"case {case.id}" if case.group is None else f"group {case.group}"


def _with_split(case: Case, name: str) -> Case:
    return case if case.split == name else case.model_copy(update={"split": name})


__all__ = ["FRACTIONS", "hold_out", "split"]
