"""Metrics of probabilities ``P``, shape ``(n, k)``, against true label indices ``y``, shape ``(n,)``.

A metric is declared once, as a ``Metric`` with a row in ``METRICS``: names, direction, unit, computation and format.
Trust profiles, evaluations, reports, gates, comparisons, sweeps and tables read the declaration. Other packages add
metrics through entry points of the group ``doubleread.metrics``.

``confidence`` and ``correct`` have shape ``(n,)``. Means over no cases are NaN. Bins are equal-width, open below and
closed above (0 belongs to the first), so that a confidence of exactly 1 falls into the last bin.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from doubleread.core.registry import Registry
from doubleread.core.trust import ReliabilityBin
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.resampling import Groups, group_codes

if TYPE_CHECKING:
    from doubleread.orchestrator.metrics.metric import Metric

CLIP = 1e-6
"""Smallest probability that enters a logarithm."""

OCR_THRESHOLD = 0.8
BINS = 15

FEWEST_GROUPS = 20
"""Groups below which a standard error clustered by group is unreliable (Cameron and Miller 2015)."""

Flags = NDArray[np.bool_]
Surface = Literal["summary", "readers", "report", "gates", "compare", "trust", "sweep", "cases"]
"""Where a metric is shown: Markdown summary, readers, HTML report, gates, run comparison, trust, sweep, case table."""


_HERE = "doubleread.orchestrator.metrics"
_ROWS = {
    "accuracy": f"{_HERE}.case_metrics:ACCURACY",
    "balanced_accuracy": f"{_HERE}.label_metrics:BALANCED_ACCURACY",
    "macro_f1": f"{_HERE}.label_metrics:MACRO_F1",
    "nll": f"{_HERE}.case_metrics:NLL",
    "brier": f"{_HERE}.case_metrics:BRIER",
    "ece": f"{_HERE}.calibration_metrics:ECE",
    "ace": f"{_HERE}.calibration_metrics:ACE",
    "mce": f"{_HERE}.calibration_metrics:MCE",
    "classwise_ece": f"{_HERE}.calibration_metrics:CLASSWISE_ECE",
    "ocr": f"{_HERE}.case_metrics:OCR",
    "ccc": f"{_HERE}.ranking_metrics:CCC",
    "aurc": f"{_HERE}.ranking_metrics:AURC",
    "e_aurc": f"{_HERE}.ranking_metrics:E_AURC",
    "failure_auroc": f"{_HERE}.ranking_metrics:FAILURE_AUROC",
}
METRICS = Registry("metric", "doubleread.metrics", _ROWS)


def declared() -> "tuple[Metric, ...]":
    """All metrics: the rows of ``METRICS`` in order, then those of other packages by name."""
    return tuple(METRICS.get(name) for name in dict.fromkeys((*_ROWS, *METRICS.names())))


def shown_in(surface: Surface) -> "tuple[Metric, ...]":
    """Metrics shown on a surface; summary, readers and report are sorted by rank."""
    found = [one for one in declared() if surface in one.shown]
    return tuple(sorted(found, key=lambda one: one.rank) if surface in ("summary", "readers", "report") else found)


class ChanceLevel(NamedTuple):
    """Chance level of the ECE, that of a perfectly calibrated forecaster: ``mean`` and 95th percentile ``high``."""

    mean: float
    high: float


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Error rate ``risk[i]`` of the ``coverage[i]`` most confident share of cases; shapes ``(n,)``."""

    coverage: Vector
    risk: Vector


def confidences(P: Matrix) -> Vector:
    """Probability of the leading label, shape ``(n,)``."""
    return np.asarray(P.max(axis=1))


def correctness(P: Matrix, y: Labels) -> Flags:
    """Whether the leading label is the true one, shape ``(n,)``; ties go to the first label."""
    return np.asarray(P.argmax(axis=1) == y)


def accuracy(P: Matrix, y: Labels) -> float:
    """Share of cases whose leading label is right."""
    return _mean(correctness(P, y))


def brier(P: Matrix, y: Labels) -> float:
    """Multi-class Brier score: squared error summed over labels, 0 to 2 (Brier 1950)."""
    return _mean(squares(P, y))


def nll(P: Matrix, y: Labels) -> float:
    """Mean -log p(true label), in nats; probabilities are clipped at ``CLIP``."""
    return _mean(losses(P, y))


def ece(confidence: Vector, correct: Flags, bins: int = BINS) -> float:
    """Expected calibration error: mean over cases of the |confidence - accuracy| of their bin (Guo et al. 2017)."""
    gaps = np.bincount(bin_index(confidence, bins), correct - confidence, bins)
    return float(np.abs(gaps).sum()) / len(confidence) if len(confidence) else float("nan")


def ece_chance(confidence: Vector, bins: int, rng: np.random.Generator, draws: int = 400) -> ChanceLevel:
    """Chance level of the ECE: correctness is drawn with probability ``confidence``, ``draws`` times."""
    if not len(confidence):
        return ChanceLevel(float("nan"), float("nan"))
    values = [ece(confidence, rng.random(len(confidence)) < confidence, bins) for _ in range(draws)]
    return ChanceLevel(float(np.mean(values)), float(np.quantile(values, 0.95)))


def classwise_ece(P: Matrix, y: Labels, bins: int = BINS) -> float:
    """Mean over labels of the one-vs-rest ECE (Kull et al. 2019)."""
    return _mean(np.array([ece(P[:, label], y == label, bins) for label in range(P.shape[1])]))


def overconfidence_rate(confidence: Vector, correct: Flags, threshold: float = OCR_THRESHOLD) -> float:
    """OCR: share of *all* cases that are wrong with a confidence above ``threshold`` (arXiv 2507.10571, section 3)."""
    return _mean((confidence > threshold) & ~correct)


def confidence_correctness_correlation(confidence: Vector, correct: Flags) -> float | None:
    """CCC: Pearson correlation of confidence and correctness (arXiv 2507.10571, section 3).

    None if undefined: fewer than two cases, all right, all wrong or all equally confident.
    """
    if len(confidence) < 2 or np.ptp(confidence) < 1e-12 or correct.all() or not correct.any():
        return None
    return float(np.corrcoef(confidence, correct)[0, 1])


def confusion_matrix(P: Matrix, y: Labels) -> NDArray[np.int64]:
    """Counts of shape ``(true, said)``."""
    counts = np.zeros((P.shape[1], P.shape[1]), dtype=np.int64)
    np.add.at(counts, (y, P.argmax(axis=1)), 1)
    return counts


def bin_index(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Bin index of each confidence, from 0; keeps the shape."""
    # Rounds first: 0.7 * 10 is 7.000000000000001 in floating point, one bin too high.
    return np.clip(np.ceil(np.round(confidence * bins, 9)).astype(np.int64) - 1, 0, bins - 1)


def reliability_bins(confidence: Vector, correct: Flags, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The non-empty bins, lowest confidence first."""
    index = bin_index(confidence, bins)
    return tuple(
        ReliabilityBin(
            low=b / bins,
            high=(b + 1) / bins,
            n=int((index == b).sum()),
            confidence=float(confidence[index == b].mean()),
            accuracy=float(correct[index == b].mean()),
        )
        for b in np.unique(index).tolist()
    )


def risk_coverage(confidence: Vector, correct: Flags) -> RiskCoverage:
    """Selective risk by falling confidence; equally confident cases share their mean error.

    Source: Geifman and El-Yaniv 2017; the averaging makes the curve independent of the order of the cases.
    """
    levels, level = np.unique(-np.round(confidence, 9), return_inverse=True)
    errors = np.bincount(level, ~correct, len(levels)) / np.bincount(level, minlength=len(levels))
    sorted_errors = errors[np.sort(level)]
    rank = np.arange(1, len(confidence) + 1)
    return RiskCoverage(coverage=rank / max(len(confidence), 1), risk=np.cumsum(sorted_errors) / rank)


def aurc(confidence: Vector, correct: Flags) -> float:
    """Area under the risk-coverage curve: mean selective risk over all coverages; lower is better."""
    return _mean(risk_coverage(confidence, correct).risk)


def accuracy_at_coverage(confidence: Vector, correct: Flags, coverage: float) -> float:
    """Accuracy of the most confident ``coverage`` share of cases, 0 < coverage <= 1, rounded up to a whole case."""
    if not len(confidence):
        return float("nan")
    kept = max(1, int(np.ceil(coverage * len(confidence) - 1e-9)))
    return 1.0 - float(risk_coverage(confidence, correct).risk[kept - 1])


class Gain(NamedTuple):
    """Mean held-out gain of one candidate over another, and its standard error clustered by group."""

    mean: float
    error: float
    """Infinite with fewer than two groups."""

    @property
    def clear(self) -> bool:
        """Whether the gain exceeds one standard error, the criterion of all choices."""
        return self.beyond(1.0)

    def beyond(self, errors: float) -> bool:
        """Whether the gain exceeds ``errors`` standard errors."""
        return self.mean > errors * self.error

    @property
    def line(self) -> str:
        """The gain and its standard error as text."""
        if not np.isfinite(self.error):
            return f"{self.mean:+.3f}, too few groups for an interval"
        return f"{self.mean:+.3f} ± {self.error:.3f}"


def clustered(values: Vector, groups: Groups = None) -> Gain:
    """Mean of per-case gains ``(n,)`` and its standard error, with groups as the independent units.

    ``SE² = G / (G - 1) · Σ_g (Σ_{i in g} (v_i - mean))² / n²`` (Liang and Zeger 1986); without groups the ordinary one.
    """
    n = len(values)
    codes = group_codes(groups, n)
    if n == 0 or len(np.unique(codes)) < 2:
        return Gain(_mean(values) if n else 0.0, float("inf"))
    mean = float(values.mean())
    sums = np.bincount(codes, values - mean)
    count = len(np.unique(codes))
    return Gain(mean, float(np.sqrt(count / (count - 1) * (sums**2).sum()) / n))


def design_effect(values: Vector, groups: Groups = None) -> float:
    """Design effect: cases of ``values`` ``(n,)`` worth one independent case, ``SE_clustered² / SE²``, 1 to n / G.

    Source: Kish 1965, the design effect of cluster samples.
    """
    n, found = len(values), len(np.unique(group_codes(groups, len(values)))) if len(values) else 0
    if found < 2 or np.ptp(values) < 1e-12:
        return 1.0
    return float(np.clip((clustered(values, groups).error / clustered(values).error) ** 2, 1.0, n / found))


def losses(P: Matrix, y: Labels) -> Vector:
    """-log p(true label) of each case, in nats, shape ``(n,)``; probabilities are clipped at ``CLIP``."""
    return -np.log(np.maximum(P[np.arange(len(y)), y], CLIP))


def squares(P: Matrix, y: Labels) -> Vector:
    """Squared error of each case, summed over the labels, shape ``(n,)``."""
    return np.asarray(((P - np.eye(P.shape[1])[y]) ** 2).sum(axis=1))


def log_gain(before: Matrix, after: Matrix, labels: Labels, groups: Groups = None) -> Gain:
    """Gain in log-loss from ``before`` to ``after``, both ``(n, k)``."""
    return clustered(losses(before, labels) - losses(after, labels), groups)


def wilson(right: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson 1927); [0, 1] if n is 0."""
    if n == 0:
        return Interval(0.0, 1.0)
    z = float(ndtri((1 + level) / 2))
    p, spread = right / n, z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(p * (1 - p) / n + spread / (4 * n)))
    # exact 0 or 1 at the ends, despite rounding
    return Interval(centre - half if right else 0.0, centre + half if right < n else 1.0)


def _mean(values: NDArray[np.generic]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")  # type: ignore[arg-type]
