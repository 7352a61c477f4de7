"""Metrics that are means over cases: accuracy, log-loss, Brier score, overconfidence rate."""

from doubleread.core.types import Labels, Matrix
from doubleread.orchestrator.metrics import OCR_THRESHOLD, Flags, confidences, correctness, losses, squares
from doubleread.orchestrator.metrics.metric import PERCENT, CaseMetric


def overconfident(P: Matrix, y: Labels) -> Flags:
    """Whether each case is wrong with a confidence above 0.8, shape ``(n,)``."""
    return (confidences(P) > OCR_THRESHOLD) & ~correctness(P, y)


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
    about="log-loss: mean of -ln(probability of the true label)",
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
    about="Brier score: mean squared error of the probabilities",
    better="lower",
    shown=frozenset(("summary", "gates", "compare", "trust")),
    rank=6,
    of=squares,
)
OCR = CaseMetric(
    name="ocr",
    title=f"wrong with a confidence above {OCR_THRESHOLD:g}",
    heading="wrong and sure",
    about="share of cases that are wrong with high confidence",
    better="lower",
    unit="share",
    display=PERCENT,
    shown=frozenset(("summary", "report", "gates", "trust")),
    rank=7,
    of=overconfident,
)
