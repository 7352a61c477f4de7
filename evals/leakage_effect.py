"""How much accuracy rests on leaked cases: nearest neighbours with them, without them, and without as many others."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.types import Embeddings, Labels, Vector

K = 10
SEEDS = 20
_CELLS = 5_000_000

Mask = NDArray[np.bool_]


class LeakEffect(Record):
    """Accuracy of the ``k`` nearest seen cases (cosine, majority) on ``n`` test cases, as shares of 1."""

    k: int
    n: int
    seen: int
    affected: int
    """Test cases that may see a copy, a near copy or their own group."""
    removed: float
    """Leaked cases an affected test case has, on average."""
    everything: float
    without_leaks: float
    control: float
    """With as many random other cases taken from what each test case may see; mean over ``seeds``."""
    control_spread: float
    """Standard deviation of the control over its seeds."""
    seeds: int
    cost: float
    """Accuracy that rests on leaks: ``control - without_leaks``."""
    cost_low: float
    cost_high: float
    """95 % interval of the cost; test cases of one group or cluster count as one draw."""
    left_out: bool = False
    """Whether the data have no splits, so that every test case is compared with all other cases."""

    def lines(self) -> list[str]:
        """The finding, for people."""
        if not self.affected:
            return [
                f"copies and shared groups do not raise the accuracy ({self.k} nearest: {_percent(self.everything)})"
            ]
        low, high = self.cost_low * 100, self.cost_high * 100
        what = "images" if self.left_out else "test cases"
        return [
            f"{self.affected} of {self.n} {what} share copies or groups ({self.removed:.1f} of {self.seen} others)",
            f"these change the measured accuracy by {self.cost * 100:+.1f} points ({low:+.1f} to {high:+.1f})",
        ]


def leak_keys(cases: Sequence[Case], clusters: Sequence[Sequence[int]] = ()) -> Labels:
    """What makes two cases leak: numbers of picture, cluster of near copies and group, shape ``(len(cases), 3)``.

    Equal numbers in one column are a leak. ``clusters`` holds indices of ``cases``.
    """
    near = {row: number for number, rows in enumerate(clusters) for row in rows}
    numbers: dict[Hashable, int] = defaultdict(lambda: len(numbers))
    alone = [("alone", i) for i in range(len(cases))]
    rows = [
        (
            numbers["id", case.id],
            numbers[("near", near[i]) if i in near else alone[i]],
            numbers[("group", case.group) if case.group is not None else alone[i]],
        )
        for i, case in enumerate(cases)
    ]
    return np.array(rows, np.int64).reshape(-1, 3)


def leak_effect(
    test: Embeddings,
    test_labels: Labels,
    test_keys: Labels,
    seen: Embeddings,
    seen_labels: Labels,
    seen_keys: Labels,
    *,
    itself: Labels | None = None,
    k: int = K,
    seeds: int = SEEDS,
) -> LeakEffect:
    """Accuracy on the test rows, with and without the seen rows that share a key with them.

    Embeddings: unit-length rows ``(n, dim)`` and ``(m, dim)``; labels ``(n,)``, ``(m,)``; keys of ``leak_keys``,
    ``(n, 3)``, ``(m, 3)``. A test case to which nothing is left is wrong. ``itself`` holds the seen row of each test
    case, ``(n,)``, where they are among the seen; a case is never compared with itself.
    """
    rngs = [np.random.default_rng(seed) for seed in range(seeds)]
    everything, without = np.zeros(len(test)), np.zeros(len(test))
    control, removed = np.zeros((seeds, len(test))), np.zeros(len(test))
    for part in _parts(len(test), len(seen)):
        order = np.argsort(-(test[part] @ seen.T), axis=1, kind="stable")
        there = np.ones(order.shape, bool) if itself is None else order != itself[part, None]
        leaked = np.take_along_axis(_leaked(test_keys[part], seen_keys), order, axis=1) & there
        right = seen_labels[order], test_labels[part]
        removed[part] = leaked.sum(1)
        everything[part] = _correct(*right, there, k)
        without[part] = _correct(*right, there & ~leaked, k)
        for row, rng in zip(control, rngs, strict=True):
            row[part] = _correct(*right, there & ~_others(leaked, there, rng), k)
    affected = removed > 0
    cost = _interval(control.mean(0) - without, test_keys[:, 2])
    return LeakEffect(
        k=k,
        n=len(test),
        seen=len(seen) - (itself is not None),
        affected=int(affected.sum()),
        removed=float(removed[affected].mean()) if affected.any() else 0.0,
        everything=float(everything.mean()),
        without_leaks=float(without.mean()),
        control=float(control.mean()),
        control_spread=float(control.mean(1).std()),
        seeds=seeds,
        cost=cost[0],
        cost_low=cost[1],
        cost_high=cost[2],
        left_out=itself is not None,
    )


def _parts(n: int, m: int) -> Iterator[slice]:
    step = max(1, _CELLS // max(1, m))
    return (slice(start, min(n, start + step)) for start in range(0, n, step))


def _leaked(test_keys: Labels, seen_keys: Labels) -> Mask:
    columns = zip(test_keys.T, seen_keys.T, strict=True)
    found: Mask = np.logical_or.reduce([a[:, None] == b[None] for a, b in columns])
    return found


def _others(leaked: Mask, there: Mask, rng: np.random.Generator) -> Mask:
    """As many of each row's other cases as it has leaked ones, drawn at random (all, where there are fewer)."""
    drawn = np.zeros_like(leaked)
    for row in np.flatnonzero(leaked.any(1)):
        others = np.flatnonzero(there[row] & ~leaked[row])
        drawn[row, rng.choice(others, min(len(others), leaked[row].sum()), replace=False, shuffle=False)] = True
    return drawn


def _correct(labels: Labels, truth: Labels, kept: Mask, k: int) -> Vector:
    """Whether the majority of the first ``k`` kept columns is the truth; of equals the one with the nearest case."""
    votes = kept & (np.cumsum(kept, axis=1) <= k)
    counts = np.stack([(votes & (labels == label)).sum(1) for label in range(int(labels.max(initial=0)) + 1)], axis=1)
    top = np.take_along_axis(counts, labels, axis=1) == counts.max(1, keepdims=True)
    first = np.argmax(votes & top, axis=1)
    right: Vector = (votes.any(1) & (np.take_along_axis(labels, first[:, None], axis=1)[:, 0] == truth)).astype(float)
    return right


def _interval(differences: Vector, groups: Labels) -> tuple[float, float, float]:
    """Mean and its 95 % interval, by the sums of whole groups (cluster-robust standard error)."""
    mean = float(differences.mean())
    _, codes = np.unique(groups, return_inverse=True)
    error = float(np.sqrt((np.bincount(codes, differences - mean) ** 2).sum()) / len(differences))
    return mean, mean - 1.96 * error, mean + 1.96 * error


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
