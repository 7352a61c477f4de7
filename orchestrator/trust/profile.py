"""Computes trust profiles and the track record of a score."""

from collections.abc import Callable
from datetime import datetime

import numpy as np

from doubleread.core.errors import DataError
from doubleread.core.opinion import ConfidenceSource, OpinionPrior
from doubleread.core.ports import Calibrator
from doubleread.core.task import Task
from doubleread.core.trust import CalibrationError, Estimate, TrustProfile
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.core.verdict import Track
from doubleread.orchestrator import metrics
from doubleread.orchestrator.resampling import Groups, bootstrap
from doubleread.orchestrator.simplex import spoken

FEW_CASES = 100
DRAWS = 1000
"""Bootstrap samples for an interval."""
WINDOW = 0.05
"""Largest difference between similar scores."""
FEWEST = 10
"""Fewest cases for a track record."""


def profile(
    agent: str,
    task: Task,
    P: Matrix,
    y: Labels,
    groups: Groups = None,
    *,
    round: int = 1,
    source: ConfidenceSource | None = None,
    prior: OpinionPrior | None = None,
    bins: int = 15,
    ocr_threshold: float = 0.8,
    calibrator: Calibrator | None = None,
    calibrated_P: Matrix | None = None,
    learned_from: str = "",
    created: datetime | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> TrustProfile:
    """Computes an agent's profile from its distributions ``P`` on labelled cases, shape ``(n, k)``.

    Rows of NaN are abstentions: counted, otherwise ignored. ``calibrated_P``, same shape, must be cross-fitted.
    Intervals are bootstrapped over ``groups``. Raises ``DataError`` without any opinion.
    """
    k, kept = len(task.names), spoken(P)
    if P.shape != (len(y), k):
        raise DataError(f"opinions of {agent!r} have shape {P.shape}; task {task.id!r} needs ({len(y)}, {k})")
    if not kept.any():
        raise DataError(f"agent {agent!r} gave no opinion on any of {len(y)} cases: there is nothing to learn from")
    p, t = P[kept], y[kept]
    owners = None if groups is None else [group for group, keep in zip(groups, kept, strict=True) if keep]
    confidence, correct = metrics.confidences(p), metrics.correctness(p, t)
    after = None if calibrated_P is None else calibrated_P[kept]
    return TrustProfile(
        agent=agent,
        task=task.id,
        round=round,
        confidence_source=source,
        prior=prior,
        n=len(t),
        abstained=int((~kept).sum()),
        accuracy=share(correct, owners, seed, draws),
        ece=calibration_error(p, t, owners, bins, seed, draws),
        classwise_ece=metrics.classwise_ece(p, t, bins),
        ocr=metrics.overconfidence_rate(confidence, correct, ocr_threshold),
        ocr_threshold=ocr_threshold,
        ccc=metrics.confidence_correctness_correlation(confidence, correct),
        brier=estimate(metrics.brier, p, t, owners, seed, draws),
        nll=estimate(metrics.nll, p, t, owners, seed, draws),
        further={
            metric.name: estimate(metric.value, p, t, owners, seed, draws)
            for metric in metrics.shown_in("trust")
            if metric.name not in TrustProfile.model_fields and np.isfinite(metric.value(p, t))
        },
        confusion=tuple(tuple(row) for row in metrics.confusion_matrix(p, t).tolist()),
        reliability=metrics.reliability_bins(confidence, correct, bins),
        calibrator={} if calibrator is None else calibrator.params(),
        calibrated_accuracy=None if after is None else share(metrics.correctness(after, t), owners, seed, draws),
        calibrated_ece=None if after is None else calibration_error(after, t, owners, bins, seed, draws),
        calibrated_nll=None if after is None else estimate(metrics.nll, after, t, owners, seed, draws),
        warnings=_warnings(len(t), calibrator),
        learned_from=learned_from,
        created=created,
    )


def estimate(
    metric: Callable[[Matrix, Labels], float],
    P: Matrix,
    y: Labels,
    groups: Groups = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Estimate:
    """A metric of distributions with its 95 % bootstrap interval over ``groups``."""
    return bootstrap(lambda rows: metric(P[rows], y[rows]), len(y), draws, seed, groups)


def share(flags: metrics.Flags, groups: Groups = None, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """Share of True flags with its 95 % interval: bootstrap over ``groups``, Wilson if all flags are equal.

    A bootstrap of equal flags has no width: nine of nine would give 100 % to 100 %.
    """
    found = bootstrap(lambda rows: float(flags[rows].mean()), len(flags), draws, seed, groups)
    if 0 < found.value < 1:
        return found
    interval = metrics.wilson(int(flags.sum()), len(flags))
    return Estimate(value=found.value, low=interval.low, high=interval.high)


def calibration_error(
    P: Matrix, y: Labels, groups: Groups = None, bins: int = 15, seed: int = 0, draws: int = DRAWS
) -> CalibrationError:
    """ECE with its bootstrap interval and its chance level."""
    confidence, correct = metrics.confidences(P), metrics.correctness(P, y)
    found = bootstrap(lambda rows: metrics.ece(confidence[rows], correct[rows], bins), len(y), draws, seed, groups)
    chance = metrics.ece_chance(confidence, bins, np.random.default_rng(seed))
    return CalibrationError(
        value=found.value, low=found.low, high=found.high, bins=bins, chance=chance.mean, chance_high=chance.high
    )


def track(
    confidence: float, held_out_confidence: Vector, held_out_correct: metrics.Flags, neighbours: int = 50
) -> Track | None:
    """How often held-out cases with a similar score were right; None if fewer than 10 are similar.

    Similar are the ``neighbours`` nearest scores and those tied with the last of them, within ±0.05.
    """
    distance = np.abs(held_out_confidence - confidence)
    if len(distance) < FEWEST:
        return None
    reach = min(WINDOW, float(np.sort(distance)[min(neighbours, len(distance)) - 1])) + 1e-12
    near = distance <= reach
    n, right = int(near.sum()), int(held_out_correct[near].sum())
    if n < FEWEST:
        return None
    interval = metrics.wilson(right, n)
    return Track(n=n, right=right, low=interval.low, high=interval.high)


def _warnings(n: int, calibrator: Calibrator | None) -> tuple[str, ...]:
    few = (f"learned from {n} images only; the figures are reliable from {FEW_CASES} on",) if n < FEW_CASES else ()
    note = str(getattr(calibrator, "note", ""))
    return (*few, note) if note else few
