"""Two runs on the cases that both have: what was fixed, what was broken, and whether it is more than chance."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.task import Task
from doubleread.core.trust import Estimate
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.evals.metrics.run_columns import RunColumns
from doubleread.orchestrator.metrics import Flags, shown_in, wilson
from doubleread.orchestrator.metrics.draws import Draws, certain, estimate
from doubleread.orchestrator.metrics.metric import MetricSample

DRAWS = 1000
Change = Literal["better", "worse", "same"]


class Changed(Record):
    """A case on which one run is right and the other is not."""

    id: str
    source: str
    label: str
    first: str
    second: str
    """The labels that the runs' panels find most probable."""
    first_confidence: float | None
    """None for an unfamiliar image: no probability applies to it."""
    second_confidence: float | None


class RunDifference(Record):
    """One figure in both runs; ``difference`` is second minus first, and ``same`` where its interval holds 0."""

    figure: str
    first: float
    second: float
    difference: Estimate
    change: Change
    """Of the second: fewer dollars are better, too."""


class RunComparison(Record):
    """Two runs, judged on the ``n`` labelled cases that both gave a verdict on and neither was silent on."""

    first: str
    second: str
    task: str
    n: int
    only_first: int
    """Cases that only the first run has a verdict on."""
    only_second: int
    unlabelled: int
    """Shared cases without a true label that the task knows."""
    relabelled: int
    """Shared cases whose true label differs between the runs."""
    silent: int
    """Shared cases for which the panel of one run gave no answer."""
    both_right: int
    both_wrong: int
    fixed: tuple[Changed, ...]
    """Wrong in the first, right in the second; the most confident in the second come first."""
    broken: tuple[Changed, ...]
    p_value: float
    """McNemar's exact test of fixed against broken. It takes cases for independent: where groups are large, the
    interval of the difference in accuracy is the one to trust."""
    differences: tuple[RunDifference, ...]
    clusters: int
    draws: int
    seed: int

    @property
    def same(self) -> int:
        """Cases on which both are right or both are wrong."""
        return self.both_right + self.both_wrong


def check_comparable(first: Task, second: Task) -> None:
    """Raises ``DataError`` where two tasks have different labels."""
    if set(first.names) == set(second.names):
        return
    raise DataError(
        f"the runs have different tasks: {first.id!r} has the labels {', '.join(first.names)}, {second.id!r} has "
        f"{', '.join(second.names)}; compare runs with the same labels"
    )


def compare_runs(
    first: RunColumns, second: RunColumns, names: tuple[str, str], *, draws: int = DRAWS, seed: int = 0
) -> RunComparison:
    """Both runs on their shared cases, by case id; groups are those of the first.

    Both must be read with one task (``read_columns(rows, task, ())`` takes the labels by name), so that their labels
    are numbered alike. Raises ``DataError`` for different tasks, or where there is no case to compare on.
    """
    check_comparable(first.task, second.task)
    if first.task.names != second.task.names:
        raise DataError("the runs have their labels in different orders; read the rows of both with the same task")
    pair = _SharedCases(first, second)
    if not pair.n:
        raise DataError(
            f"{names[0]} and {names[1]} have no case to compare: {pair.shared} of their "
            f"{first.n} and {second.n} cases are shared, and a shared case needs a true label and a verdict in both "
            "runs"
        )
    drawn = Draws(pair.groups, draws=draws, seed=seed)
    before, after = pair.right
    fixed, broken = after & ~before, before & ~after
    return RunComparison(
        first=names[0],
        second=names[1],
        task=first.task.id,
        n=pair.n,
        only_first=pair.only[0],
        only_second=pair.only[1],
        unlabelled=pair.unlabelled,
        relabelled=pair.relabelled,
        silent=pair.silent,
        both_right=int((before & after).sum()),
        both_wrong=int((~before & ~after).sum()),
        fixed=tuple(pair.changed(fixed)),
        broken=tuple(pair.changed(broken)),
        p_value=mcnemar(int(fixed.sum()), int(broken.sum())),
        differences=tuple(_differences(pair, drawn)),
        clusters=drawn.clusters,
        draws=draws,
        seed=seed,
    )


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided p-value of so many changes one way and so many the other; 1 without a change."""
    from scipy.stats import binomtest  # noqa: PLC0415 - slow to load

    return float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0


class _SharedCases:
    """The cases that both runs can be judged on, in the order of the first."""

    def __init__(self, first: RunColumns, second: RunColumns) -> None:
        here, there = ({case: i for i, case in enumerate(run.ids)} for run in (first, second))
        rows = [(i, there[case]) for case, i in here.items() if case in there]
        a, b = np.array(rows, np.int64).reshape(-1, 2).T
        labelled = first.labelled[a] & second.labelled[b]
        alike = first.labels[a] == second.labels[b]
        spoke = (first.said[a] >= 0) & (second.said[b] >= 0)
        kept = labelled & alike & spoke
        self.columns = first
        self.shared, self.n = len(rows), int(kept.sum())
        self.only = (len(here) - len(rows), len(there) - len(rows))
        self.unlabelled = int((~labelled).sum())
        self.relabelled = int((labelled & ~alike).sum())
        self.silent = int((labelled & alike & ~spoke).sum())
        self.rows = a[kept]
        self.labels: Labels = first.labels[a][kept]
        self.groups: Sequence[str] = [first.groups[i] for i in self.rows]
        self.posteriors: tuple[Matrix, Matrix] = (first.posterior[a][kept], second.posterior[b][kept])
        self.alarms: tuple[Flags, Flags] = (first.alarm[a][kept], second.alarm[b][kept])
        self.costs: tuple[Vector, Vector] = (first.cost[a][kept], second.cost[b][kept])
        self.right: tuple[Flags, Flags] = (
            np.asarray(self.posteriors[0].argmax(axis=1) == self.labels),
            np.asarray(self.posteriors[1].argmax(axis=1) == self.labels),
        )

    def changed(self, which: Flags) -> Iterator[Changed]:
        before, after = self.posteriors
        alarms = self.alarms
        names = self.columns.task.names
        for i in sorted(np.flatnonzero(which).tolist(), key=lambda i: -float(after[i].max())):
            yield Changed(
                id=self.columns.ids[self.rows[i]],
                source=self.columns.sources[self.rows[i]],
                label=names[self.labels[i]],
                first=names[before[i].argmax()],
                second=names[after[i].argmax()],
                first_confidence=None if alarms[0][i] else float(before[i].max()),
                second_confidence=None if alarms[1][i] else float(after[i].max()),
            )


def _differences(pair: _SharedCases, draws: Draws) -> Iterator[RunDifference]:
    every = np.ones(pair.n, bool)
    before, after = (MetricSample(P, pair.labels, draws, every) for P in pair.posteriors)
    for metric in shown_in("compare"):
        found = _difference(metric.name, metric.drawn(before), metric.drawn(after), metric.sign)
        unchanged = metric.name == "accuracy" and bool((before.correct == after.correct).all())
        yield _doubted(found, pair.n) if unchanged else found
    first, second = (draws.total(cost) / before.n for cost in pair.costs)
    yield _difference("cost", first, second, -1)


def _difference(figure: str, first: Vector, second: Vector, better: int) -> RunDifference:
    """``better`` is the sign of a change for the better."""
    found = certain(estimate(second - first))
    change: Change = "same"
    if found.low > 0 or found.high < 0:
        change = "better" if found.value * better > 0 else "worse"
    return RunDifference(figure=figure, first=float(first[0]), second=float(second[0]), difference=found, change=change)


def _doubted(accuracy: RunDifference, n: int) -> RunDifference:
    """Where no case changed, draws know no doubt: as many as Wilson allows might have, either way."""
    high = wilson(0, n).high
    return accuracy.model_copy(update={"difference": Estimate(value=0.0, low=-high, high=high)})
