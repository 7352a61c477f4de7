"""Metrics of probabilities ``P``, shape ``(n, k)``, against true label indices ``y``, shape ``(n,)``.

A metric is declared once, as a ``Metric`` in a module of its own or of its family, with a row in ``METRICS``: its
names, its direction, its unit, how it is computed and how it is written. Trust profiles, evaluations, reports, gates,
comparisons, sweeps and tables read the declaration. Another package adds a metric through an entry point of the group
``doubleread.metrics``.

``confidence`` and ``correct`` have shape ``(n,)``. Means over no cases are NaN.
"""

from doubleread.core.registry import Registry
from doubleread.orchestrator.metrics.calibration_errors import (
    Floor,
    bin_index,
    classwise_ece,
    ece,
    ece_floor,
    reliability_bins,
)
from doubleread.orchestrator.metrics.case_metrics import (
    CLIP,
    accuracy,
    brier,
    confidences,
    correctness,
    log_gain,
    losses,
    nll,
    overconfidence_rate,
)
from doubleread.orchestrator.metrics.gains import (
    FEWEST_GROUPS,
    Gain,
    Interval,
    clustered,
    design_effect,
    wilson,
)
from doubleread.orchestrator.metrics.label_metrics import confusion_matrix
from doubleread.orchestrator.metrics.metric import Display, Flags, Found, Metric, Sample, Surface
from doubleread.orchestrator.metrics.ranking_metrics import (
    accuracy_at_coverage,
    aurc,
    confidence_correctness_correlation,
    risk_coverage,
)

__all__ = [
    "CLIP",
    "FEWEST_GROUPS",
    "METRICS",
    "Display",
    "Flags",
    "Floor",
    "Found",
    "Gain",
    "Interval",
    "Metric",
    "Sample",
    "Surface",
    "accuracy",
    "accuracy_at_coverage",
    "aurc",
    "bin_index",
    "brier",
    "classwise_ece",
    "clustered",
    "confidence_correctness_correlation",
    "confidences",
    "confusion_matrix",
    "correctness",
    "declared",
    "design_effect",
    "ece",
    "ece_floor",
    "log_gain",
    "losses",
    "nll",
    "overconfidence_rate",
    "reliability_bins",
    "risk_coverage",
    "shown_in",
    "wilson",
]

_HERE = "doubleread.orchestrator.metrics"
_ROWS = {
    "accuracy": f"{_HERE}.case_metrics:ACCURACY",
    "balanced_accuracy": f"{_HERE}.label_metrics:BALANCED_ACCURACY",
    "macro_f1": f"{_HERE}.label_metrics:MACRO_F1",
    "nll": f"{_HERE}.case_metrics:NLL",
    "brier": f"{_HERE}.case_metrics:BRIER",
    "ece": f"{_HERE}.calibration_errors:ECE",
    "ace": f"{_HERE}.calibration_errors:ACE",
    "mce": f"{_HERE}.calibration_errors:MCE",
    "classwise_ece": f"{_HERE}.calibration_errors:CLASSWISE_ECE",
    "ocr": f"{_HERE}.case_metrics:OCR",
    "ccc": f"{_HERE}.ranking_metrics:CCC",
    "aurc": f"{_HERE}.ranking_metrics:AURC",
    "e_aurc": f"{_HERE}.ranking_metrics:E_AURC",
    "failure_auroc": f"{_HERE}.ranking_metrics:FAILURE_AUROC",
}
METRICS = Registry("metric", "doubleread.metrics", _ROWS)


def declared() -> tuple[Metric, ...]:
    """Every metric: the rows of ``METRICS`` in their order, then those of other packages by name."""
    return tuple(METRICS.get(name) for name in dict.fromkeys((*_ROWS, *METRICS.names())))


def shown_in(surface: Surface) -> tuple[Metric, ...]:
    """The metrics that a surface shows; those that are read from the top are sorted by rank."""
    found = [one for one in declared() if surface in one.shown]
    return tuple(sorted(found, key=lambda one: one.rank) if surface in ("summary", "readers", "report") else found)
