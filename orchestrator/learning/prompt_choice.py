"""Compares the prompts of one agent by its answers to the same cases, and chooses one.

A prompt replaces the present one only if its cross-fitted, calibrated log-loss is lower by more than the standard error
of the paired difference, clustered by group. With several other prompts the limit rises so that the chance of choosing
any of them stays at 16 % if all are alike (Bonferroni): 1 standard error for one, 1.41 for two, 1.85 for five.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from doubleread.core.base import Record
from doubleread.core.types import Matrix
from doubleread.orchestrator.learning.choice import CALIBRATORS, cross_fitted
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.metrics import FEWEST_GROUPS, clustered, losses
from doubleread.orchestrator.simplex import spoken

ONE_ERROR = float(ndtr(-1.0))
"""Chance that a difference of 0 exceeds one standard error."""


class PromptDifference(Record):
    """How an agent does with a prompt, compared with its present one, on the cases that it answered with both."""

    n: int
    groups: int
    lower: float
    """By how much the calibrated log-loss is lower with this prompt; negative if it is higher."""
    error: float | None
    """Standard error of ``lower``, clustered by group; None with fewer than two groups."""
    low: float | None
    """The 95 % interval of ``lower``."""
    high: float | None
    limit: float
    """Standard errors that ``lower`` must exceed."""
    change: Literal["better", "worse", "same"]
    why: str = ""
    """Why no difference counts, if the figures alone would not say so."""


def limit_of(others: int) -> float:
    """Standard errors that a difference must exceed if ``others`` prompts are compared with the present one."""
    return float(-ndtri(ONE_ERROR / max(1, others)))


def calibrated(P: Matrix, sample: Sample) -> Matrix:
    """Cross-fitted calibrated answers ``(n, k)``; NaN rows are missing answers. Errors as ``Sample.parts``."""
    found = cross_fitted(CALIBRATORS[0], P, sample)
    found[~spoken(P)] = np.nan
    return found


def differences(present: Matrix, others: Sequence[Matrix], sample: Sample) -> tuple[PromptDifference, ...]:
    """Compares calibrated answers ``(n, k)`` of each other prompt with those of the present one."""
    return tuple(_difference(present, other, sample, limit_of(len(others))) for other in others)


def best_of(found: Sequence[PromptDifference]) -> int | None:
    """Position of the prompt to use in place of the present one; None to keep it."""
    better = [i for i, one in enumerate(found) if one.change == "better"]
    return max(better, key=lambda i: found[i].lower, default=None)


def _difference(present: Matrix, other: Matrix, sample: Sample, limit: float) -> PromptDifference:
    both = spoken(present) & spoken(other)
    y, groups = sample.labels[both], sample.codes[both].astype(str)
    gain, units = clustered(losses(present[both], y) - losses(other[both], y), groups), len(np.unique(groups))
    half = gain.error * float(stdtrit(units - 1, 0.975)) if units > 1 else None
    better, worse = gain.beyond(limit), gain._replace(mean=-gain.mean).beyond(limit)
    answered = clustered(spoken(present).astype(float) - spoken(other), sample.codes.astype(str))
    why = ""
    if units < FEWEST_GROUPS:
        why = f"{units} groups are too few, {FEWEST_GROUPS} are needed"
    elif better and answered.beyond(limit):
        why = "it leaves more images unanswered"
    return PromptDifference(
        n=int(both.sum()),
        groups=units,
        lower=gain.mean,
        error=gain.error if half is not None else None,
        low=None if half is None else gain.mean - half,
        high=None if half is None else gain.mean + half,
        limit=limit,
        change="same" if why else "better" if better else "worse" if worse else "same",
        why=why,
    )
