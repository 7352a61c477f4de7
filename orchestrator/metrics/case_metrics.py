"""Metrics that are means over cases: accuracy, log-loss, Brier score, overconfidence rate."""

import numpy as np

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics.gains import Gain, Groups, clustered
from doubleread.orchestrator.metrics.metric import PERCENT, CaseMetric, Flags, mean

CLIP = 1e-6
"""Smallest probability that enters a logarithm."""
OCR_THRESHOLD = 0.8


def confidences(P: Matrix) -> Vector:
    """Probability of the leading label, shape ``(n,)``."""
    return np.asarray(P.max(axis=1))


def correctness(P: Matrix, y: Labels) -> Flags:
    """Whether the leading label is the true one, shape ``(n,)``; the first label leads in a tie."""
    return np.asarray(P.argmax(axis=1) == y)


def losses(P: Matrix, y: Labels) -> Vector:
    """-log p(true label) of each case, in nats, shape ``(n,)``; probabilities are clipped at ``CLIP``."""
    return -np.log(np.maximum(P[np.arange(len(y)), y], CLIP))


def log_gain(before: Matrix, after: Matrix, labels: Labels, groups: Groups = None) -> Gain:
    """How far the log-loss of ``after`` lies below that of ``before``, both ``(n, k)``, case by case."""
    return clustered(losses(before, labels) - losses(after, labels), groups)


def squares(P: Matrix, y: Labels) -> Vector:
    """Squared error of each case, summed over the labels, shape ``(n,)``."""
    return np.asarray(((P - np.eye(P.shape[1])[y]) ** 2).sum(axis=1))


def overconfident(P: Matrix, y: Labels) -> Flags:
    """Which cases are wrong with a confidence above 0.8, shape ``(n,)``."""
    return (confidences(P) > OCR_THRESHOLD) & ~correctness(P, y)


def overconfidence_rate(confidence: Vector, correct: Flags, threshold: float = OCR_THRESHOLD) -> float:
    """OCR: share of *all* cases that are wrong with a confidence above ``threshold`` (arXiv 2507.10571, section 3)."""
    return mean((confidence > threshold) & ~correct)


ACCURACY = CaseMetric(
    name="accuracy",
    title="accuracy",
    about="share of cases whose leading label is right",
    better="higher",
    unit="share",
    display=PERCENT,
    shown=frozenset(("summary", "readers", "report", "gates", "compare", "trust", "sweep")),
    rank=1,
    with_interval=True,
    of=correctness,
    silent=0.0,
)
NLL = CaseMetric(
    name="nll",
    title="log-loss",
    symbol="NLL",
    about="log-loss",
    better="lower",
    unit="nats",
    shown=frozenset(("summary", "readers", "report", "gates", "compare", "trust", "sweep")),
    rank=5,
    of=losses,
)
BRIER = CaseMetric(  # Brier 1950: 0 to 2
    name="brier",
    title="Brier score",
    heading="Brier",
    about="Brier score",
    better="lower",
    shown=frozenset(("summary", "gates", "compare", "trust")),
    rank=6,
    of=squares,
)
OCR = CaseMetric(
    name="ocr",
    title=f"wrong and surer than {OCR_THRESHOLD:g}",
    heading="wrong and sure",
    symbol="OCR",
    about="wrong and sure",
    better="lower",
    unit="share",
    display=PERCENT,
    shown=frozenset(("summary", "report", "gates", "trust")),
    rank=7,
    of=overconfident,
)

accuracy, nll, brier = ACCURACY.value, NLL.value, BRIER.value
