"""From replayed cases to figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.core.task import Task
from doubleread.core.trust import Estimate
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.evals.sweep.chance_control import Resamples, holm, interval, paired_tests, picked_elsewhere
from doubleread.evals.sweep.sweep_result import FIGURES, SHARES, Judged, Pick
from doubleread.evals.sweep.variant import Variant
from doubleread.evals.vector_replay import Flags, ReplayedCases
from doubleread.orchestrator import metrics
from doubleread.orchestrator.gates.gate import realised_costs
from doubleread.orchestrator.simplex import spoken


@dataclass
class Played:
    """What became of the cases under one variant; the first axis counts the cases."""

    posterior: Matrix
    label: Labels
    committed: Flags
    looked_again: Flags
    unanswered: Flags
    usd: Vector

    @classmethod
    def blank(cls, n: int, k: int) -> "Played":
        """Before any case is played."""
        no = np.zeros(n, dtype=bool)
        return cls(np.full((n, k), np.nan), np.zeros(n, np.int64), no.copy(), no.copy(), no.copy(), np.zeros(n))

    def put(self, rows: Labels, replayed: ReplayedCases, usd: Vector) -> None:
        """Some of the cases, with the price of each agent's answer, ``(agents,)``."""
        self.posterior[rows], self.label[rows] = replayed.posterior, replayed.label
        self.committed[rows], self.looked_again[rows] = replayed.committed, replayed.looked_again
        self.unanswered[rows] = replayed.unanswered
        self.usd[rows] = (replayed.asked.astype(float) + replayed.asked_again) @ usd


@dataclass(frozen=True)
class Bench:
    """The cases that variants are judged on."""

    labels: Labels
    resamples: Resamples
    parts: Labels
    """The part of each case, ``(n,)``, for choosing on other parts."""
    bins: int
    error_usd: float

    def columns(self, task: Task, played: Played) -> dict[str, Vector]:
        """The figures that are means over cases, case by case. Where nobody spoke any label is as likely."""
        silent = ~spoken(played.posterior)
        P = np.where(silent[:, None], 1 / played.posterior.shape[1], played.posterior)
        right = metrics.correctness(P, self.labels) & ~silent
        truth = np.clip(P[np.arange(len(P)), self.labels], metrics.CLIP, 1.0)
        decided = realised_costs(task, played.label, played.committed, self.labels)
        return {
            "accuracy": right.astype(float),
            "nll": -np.log(truth),
            "wrong": (played.committed & (played.label != self.labels)).astype(float),
            "referred": (~played.committed).astype(float),
            "looked_again": played.looked_again.astype(float),
            "cost": decided + played.usd / self.error_usd,
            "usd": played.usd,
        }

    def calibration_gap(self, played: Played) -> tuple[float, Vector]:
        """ECE, and what it is in each sample, ``(draws,)``; a case on which nobody spoke is no forecast."""
        there = spoken(played.posterior)
        confidence = np.where(there, np.nan_to_num(played.posterior).max(axis=1), 0.0)
        correct = metrics.correctness(np.nan_to_num(played.posterior), self.labels) & there
        signed = np.zeros((len(there), self.bins))
        signed[np.arange(len(there)), metrics.bin_index(confidence, self.bins)] = np.where(
            there, correct - confidence, 0
        )
        spoke = there.astype(float)
        drawn = np.abs(self.resamples.sums(signed)).sum(axis=1) / self.resamples.sums(spoke[:, None])[:, 0]
        return float(np.abs(signed.sum(axis=0)).sum() / max(spoke.sum(), 1.0)), drawn


def judged(
    bench: Bench, tasks: Sequence[Task], variants: Sequence[Variant], played: Sequence[Played], seed: int
) -> tuple[Judged, ...]:
    """Every variant beside the first."""
    first = variants[0]
    columns = [bench.columns(task, one) for task, one in zip(tasks, played, strict=True)]
    gaps = [bench.calibration_gap(one) for one in played]
    p = _tests(bench, variants, columns, seed)
    return tuple(
        Judged(
            name=variant.name(first),
            variant=variant,
            figures=_figures(bench, columns[i], gaps[i]),
            difference=_differences(bench, columns[i], gaps[i], columns[0], gaps[0], variant, first) if i else {},
            decided_otherwise=_otherwise(played[i], played[0]),
            p=p.get(i),
        )
        for i, variant in enumerate(variants)
    )


def pick(bench: Bench, variants: Sequence[Variant], tasks: Sequence[Task], played: Sequence[Played]) -> Pick | None:
    """What the cheapest variant costs when it is chosen on other cases; None where there is no choice."""
    first = variants[0]
    alike = [i for i, variant in enumerate(variants) if variant.referral == first.referral]
    if len(alike) < 2:
        return None
    costs = np.stack([bench.columns(tasks[i], played[i])["cost"] for i in alike], axis=1)
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


def _figures(bench: Bench, columns: Mapping[str, Vector], gap: tuple[float, Vector]) -> dict[str, Estimate]:
    found = {
        name: bench.resamples.share(values > 0) if name in SHARES else bench.resamples.mean(values)
        for name, values in columns.items()
    }
    found["ece"] = interval(*gap)
    return {name: found[name] for name in FIGURES}


def _differences(
    bench: Bench,
    columns: Mapping[str, Vector],
    gap: tuple[float, Vector],
    before: Mapping[str, Vector],
    gap_before: tuple[float, Vector],
    variant: Variant,
    first: Variant,
) -> dict[str, Estimate]:
    found = {name: bench.resamples.mean(columns[name] - before[name]) for name in columns}
    found["ece"] = interval(gap[0] - gap_before[0], gap[1] - gap_before[1])
    comparable = variant.referral == first.referral
    return {name: found[name] for name in FIGURES if name != "cost" or comparable}


def _tests(
    bench: Bench, variants: Sequence[Variant], columns: Sequence[Mapping[str, Vector]], seed: int
) -> dict[int, float]:
    """Holm-adjusted p-values of the differences in cost, by the variant's place."""
    alike = [i for i, one in enumerate(variants) if i and one.referral == variants[0].referral]
    if not alike:
        return {}
    differences = np.stack([columns[i]["cost"] - columns[0]["cost"] for i in alike], axis=1)
    p = holm(paired_tests(differences, bench.resamples.codes, seed))
    return dict(zip(alike, p.tolist(), strict=True))


def _otherwise(one: Played, first: Played) -> int:
    said, before = (np.where(p.committed, p.label, -1) for p in (one, first))
    return int((said != before).sum())
