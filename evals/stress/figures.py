"""The figures of a reading. A new one is a function and a row in this table.

Each gives a number for one verdict, and NaN where the verdict does not count; what is reported is the mean of the rest.
"""

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

from doubleread.core.task import Task
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.metrics import CLIP

NOT_COUNTED = math.nan


class Figure(NamedTuple):
    """A figure, and how it is told."""

    about: str
    share: bool
    of: Callable[[Verdict, str, Task], float]
    """Of a verdict, the true label and the task."""


def distribution(verdict: Verdict) -> dict[str, float]:
    """What the panel makes of a case, calibrated or not; empty where nobody spoke."""
    scores: dict[str, float] = getattr(verdict, "scores", None) or verdict.posterior
    return scores


def _accuracy(verdict: Verdict, label: str, task: Task) -> float:
    del task
    shares = distribution(verdict)
    return float(bool(shares) and max(shares, key=lambda name: shares[name]) == label)


def _nll(verdict: Verdict, label: str, task: Task) -> float:
    share = distribution(verdict).get(label, 0.0) if distribution(verdict) else 1 / len(task.names)
    return -math.log(max(share, CLIP))


def _coverage(verdict: Verdict, label: str, task: Task) -> float:
    del task
    return NOT_COUNTED if verdict.coverage is None else float(label in verdict.prediction_set)


def _risk(verdict: Verdict, label: str, task: Task) -> float:
    del task
    return float(verdict.decision.label != label) if verdict.decision.action == "commit" else NOT_COUNTED


def _referred(verdict: Verdict, label: str, task: Task) -> float:
    del label, task
    return float(verdict.decision.action != "commit")


def _alarm(verdict: Verdict, label: str, task: Task) -> float:
    del label, task
    seen = verdict.familiarity
    return NOT_COUNTED if seen is None or seen.threshold is None else float(seen.alarm)


FIGURES = MappingProxyType(
    {
        "accuracy": Figure("the leading label is right, committed to or not", True, _accuracy),
        "nll": Figure("log-loss of the probabilities; uniform where no agent spoke", False, _nll),
        "coverage": Figure("the prediction set holds the true label", True, _coverage),
        "risk": Figure("wrong, of the images that the panel committed on", True, _risk),
        "referred": Figure("handed to a person", True, _referred),
        "alarm": Figure("recognised as unlike what the panel was trusted on", True, _alarm),
    }
)
