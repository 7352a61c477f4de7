"""Cross-validation folds and bootstrap intervals that keep groups whole."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate
from doubleread.core.types import Labels

Indices = NDArray[np.int64]
Groups = Sequence[str | None] | NDArray[np.generic] | None
"""The group of each case; a case without one is its own group."""
TRIES = 20


class Fold(NamedTuple):
    """Row indices for fitting and for testing."""

    train: Indices
    test: Indices


def group_codes(groups: Groups, n: int) -> Indices:
    """Group indices, shape ``(n,)``; a case without a group is its own group.

    Raises ``DataError`` unless there is one group per case.
    """
    if groups is None:
        return np.arange(n, dtype=np.int64)
    if len(groups) != n:
        raise DataError(f"{len(groups)} groups for {n} cases: give one group (or None) per case")
    names = [f"case {i}" if group is None else f"group {group}" for i, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def grouped_folds(labels: Labels, groups: Groups, folds: int, seed: int) -> list[Fold]:
    """Returns up to ``folds`` folds that keep groups whole, are stratified by label, and have all labels in training.

    There are fewer folds if a label has fewer groups. Raises ``DataError`` if a label has a single group, so that it
    would be missing either in fitting or in testing.
    """
    codes = group_codes(groups, len(labels))
    feasible = min(folds, _scarcest(labels, codes))
    for count in range(feasible, 1, -1):
        for attempt in range(TRIES):
            found = _split(labels, codes, count, seed + attempt)
            if all(set(labels[fold.train]) == set(labels) for fold in found):
                return found
    raise DataError("no split into folds keeps every label in training: add cases from more groups, or drop the label")


def bootstrap(
    statistic: Callable[[Indices], float],
    n: int,
    draws: int = 1000,
    seed: int = 0,
    groups: Groups = None,
) -> Estimate:
    """``statistic`` of all rows ``0..n-1`` with its 95 % percentile interval; draws whole groups, if given.

    ``statistic`` takes row indices (with repeats). Raises ``DataError`` for n = 0. Source: Efron and Tibshirani 1993.
    """
    if n == 0:
        raise DataError("there are no cases to estimate from")
    codes = group_codes(groups, n)
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    alone = len(members) == n  # every case is its own group: no concatenation, several times as fast
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        drawn = rng.integers(len(members), size=len(members))
        values.append(statistic(order[drawn] if alone else np.concatenate([members[g] for g in drawn])))
    low, high = np.nanquantile(values, [0.025, 0.975])
    return Estimate(value=statistic(np.arange(n)), low=float(low), high=float(high))


def _scarcest(labels: Labels, codes: Indices) -> int:
    found = np.unique(labels)
    counts = [len(np.unique(codes[labels == label])) for label in found]
    if min(counts, default=0) < 2:
        label = f"label {int(found[int(np.argmin(counts))])}" if counts else "no label"
        raise DataError(
            f"cross-validation needs each label in at least 2 groups; {label} has {min(counts, default=0)}: "
            "add labelled cases from other groups (captures, patients, modules)"
        )
    return min(counts)


def _split(labels: Labels, codes: Indices, folds: int, seed: int) -> list[Fold]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # noqa: PLC0415 - half a second to load

    alone = len(np.unique(codes)) == len(codes)  # then the plain splitter is equivalent and a hundred times as fast
    splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(folds, shuffle=True, random_state=seed)
    parts = splitter.split(np.zeros((len(labels), 1)), labels, None if alone else codes)
    return [Fold(np.asarray(train), np.asarray(test)) for train, test in parts if len(test)]
