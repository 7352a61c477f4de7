"""From replayed cases to figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.task import Task
from doubleread.core.trust import Estimate
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.evals.sweep._chance_control import Resamples, holm, interval, paired_tests, picked_elsewhere
from doubleread.evals.sweep._sweep_result import Pick, VariantScore
from doubleread.evals.sweep._variant import Variant
from doubleread.evals.sweep.sweep_figures import VariantOutcomes, sweep_figures
from doubleread.evals.vector_replay import Flags
from doubleread.orchestrator.gates.gate import realised_costs
from doubleread.orchestrator.metrics.metric import CaseMetric, MetricSample
from doubleread.orchestrator.simplex import spoken


@dataclass(frozen=True)
class Bench:
    """The cases that variants are judged on."""

    labels: Labels
    resamples: Resamples
    parts: Labels
    """The part of each case, ``(n,)``, for choosing on other parts."""
    bins: int
    error_usd: float

    def scores(self, task: Task, outcomes: VariantOutcomes) -> "VariantFigures":
        """The figures of one variant. A case without an answer is no forecast, or a uniform one."""
        there = spoken(outcomes.posterior)
        P = np.where(there[:, None], outcomes.posterior, 1 / outcomes.posterior.shape[1])
        cost = realised_costs(task, outcomes.label, outcomes.committed, self.labels) + outcomes.usd / self.error_usd
        cases, drawn = {}, {}
        for name, figure in sweep_figures().items():
            if figure.of is not None:
                cases[name] = figure.of(outcomes, self.labels, cost)
            elif isinstance(figure.metric, CaseMetric):
                cases[name] = _filled(figure.metric, P, self.labels, there)
            elif figure.metric is not None:
                draws = self.resamples.draws
                sample = MetricSample(outcomes.posterior[there], self.labels[there], draws, there, self.bins)
                drawn[name] = figure.metric.drawn(sample)
        return VariantFigures(cases, drawn)


@dataclass(frozen=True)
class VariantFigures:
    """Figures by name: case by case, shape ``(n,)``, or of the sample and every draw, shape ``(1 + draws,)``."""

    cases: Mapping[str, NDArray[np.generic]]
    drawn: Mapping[str, Vector]

    @property
    def cost(self) -> Vector:
        return np.asarray(self.cases["cost"], float)

    def estimates(self, resamples: Resamples) -> dict[str, Estimate]:
        """Every figure with its interval."""
        found = {
            name: resamples.share(values) if values.dtype == np.bool_ else resamples.mean(values)
            for name, values in self.cases.items()
        } | {name: interval(*_split(values)) for name, values in self.drawn.items()}
        return {name: found[name] for name in sweep_figures()}

    def changes(self, first: "VariantFigures", resamples: Resamples) -> dict[str, Estimate]:
        """Every difference to the first variant, case by case."""
        found = {
            name: resamples.mean(values.astype(float) - first.cases[name]) for name, values in self.cases.items()
        } | {name: interval(*_split(values - first.drawn[name])) for name, values in self.drawn.items()}
        return {name: found[name] for name in sweep_figures()}


def _filled(metric: CaseMetric, P: Matrix, y: Labels, there: Flags) -> NDArray[np.generic]:
    values = metric.of(P, y)
    return values if metric.silent is None else np.where(there, values, metric.silent).astype(values.dtype)


def _split(values: Vector) -> tuple[float, Vector]:
    return float(values[0]), values[1:]


def judged(
    bench: Bench, tasks: Sequence[Task], variants: Sequence[Variant], outcomes: Sequence[VariantOutcomes], seed: int
) -> tuple[VariantScore, ...]:
    """Every variant beside the first."""
    first = variants[0]
    scores = [bench.scores(task, one) for task, one in zip(tasks, outcomes, strict=True)]
    p = _tests(bench, variants, scores, seed)
    return tuple(
        VariantScore(
            name=variant.name(first),
            variant=variant,
            figures=scores[i].estimates(bench.resamples),
            difference=_changes(bench, scores[i], scores[0], variant.referral == first.referral) if i else {},
            decided_otherwise=_otherwise(outcomes[i], outcomes[0]),
            p=p.get(i),
        )
        for i, variant in enumerate(variants)
    )


def _changes(bench: Bench, scores: VariantFigures, first: VariantFigures, comparable: bool) -> dict[str, Estimate]:
    found = scores.changes(first, bench.resamples)
    return {name: one for name, one in found.items() if name != "cost" or comparable}


def pick(
    bench: Bench, variants: Sequence[Variant], tasks: Sequence[Task], outcomes: Sequence[VariantOutcomes]
) -> Pick | None:
    """What the cheapest variant costs when it is chosen on other cases; None where there is no choice."""
    first = variants[0]
    alike = [i for i, variant in enumerate(variants) if variant.referral == first.referral]
    if len(alike) < 2:
        return None
    costs = np.stack([bench.scores(tasks[i], outcomes[i]).cost for i in alike], axis=1)
    names = [variants[i].name(first) for i in alike]
    chosen = picked_elsewhere(costs, bench.parts)
    paid = costs[np.arange(len(costs)), chosen]
    best = int(np.round(costs.mean(axis=0), 12).argmin())
    shares = np.bincount(chosen, minlength=len(alike)) / len(chosen)
    return Pick(
        variants=len(alike),
        best=names[best],
        best_cost=float(costs[:, best].mean()),
        cost=bench.resamples.mean(paid),
        difference=bench.resamples.mean(paid - costs[:, 0]),
        picked={names[i]: float(shares[i]) for i in np.flatnonzero(shares)},
    )


def _tests(bench: Bench, variants: Sequence[Variant], scores: Sequence[VariantFigures], seed: int) -> dict[int, float]:
    """Holm-adjusted p-values of the differences in cost, by the variant's place."""
    alike = [i for i, one in enumerate(variants) if i and one.referral == variants[0].referral]
    if not alike:
        return {}
    differences = np.stack([scores[i].cost - scores[0].cost for i in alike], axis=1)
    p = holm(paired_tests(differences, bench.resamples.codes, seed))
    return dict(zip(alike, p.tolist(), strict=True))


def _otherwise(one: VariantOutcomes, first: VariantOutcomes) -> int:
    said, before = (np.where(p.committed, p.label, -1) for p in (one, first))
    return int((said != before).sum())
