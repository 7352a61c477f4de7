"""Every declared metric of one reader: the panel, or an agent."""

import numpy as np

from doubleread.core.task import Task
from doubleread.core.types import Labels, Matrix
from doubleread.evals.metrics.evaluation import Curve, LabelFigures, ReaderFigures
from doubleread.orchestrator import metrics
from doubleread.orchestrator.metrics.draws import Draws
from doubleread.orchestrator.metrics.label_metrics import label_scores
from doubleread.orchestrator.metrics.metric import Sample

POINTS = 400
"""Of a curve, at most."""


def reader_figures(name: str, task: Task, P: Matrix, labels: Labels, draws: Draws) -> ReaderFigures | None:
    """Of distributions ``(n, k)`` and true labels ``(n,)``: the cases with both are judged, None where there is none.

    A row of NaN is a case on which the reader was silent; a negative label one whose label is not known.
    """
    sample = Sample.of(P, labels, draws)
    if sample is None:
        return None
    found = {metric.name: metric.found(sample) for metric in metrics.declared()}
    fields = {name: found.pop(name) for name in list(found) if name in ReaderFigures.model_fields}
    return ReaderFigures.model_validate(
        {
            **fields,
            "further": {name: one for name, one in found.items() if one is not None},
            "reader": name,
            "n": len(sample.y),
            "abstained": int((labels >= 0).sum()) - len(sample.y),
            "ocr_threshold": metrics.OCR_THRESHOLD,
            "labels": _labels(task, sample),
            "confusion": metrics.confusion_matrix(sample.P, sample.y).tolist(),
            "reliability": metrics.reliability_bins(sample.confidence, sample.correct),
            "risk_coverage": _curve(sample),
        }
    )


def _labels(task: Task, sample: Sample) -> list[LabelFigures]:
    scores = sample.once(label_scores)
    precision, recall, f1 = (scores.estimates(which) for which in ("precision", "recall", "f1"))
    return [
        LabelFigures(
            label=label,
            support=int(scores.true[i]),
            said=int(scores.said[i]),
            precision=precision[i],
            recall=recall[i],
            f1=f1[i],
        )
        for i, label in enumerate(task.names)
    ]


def _curve(sample: Sample) -> Curve:
    curve = metrics.risk_coverage(sample.confidence, sample.correct)
    kept = np.unique(np.linspace(0, len(sample.y) - 1, min(len(sample.y), POINTS)).round().astype(int))
    return Curve(coverage=tuple(curve.coverage[kept].tolist()), risk=tuple(curve.risk[kept].tolist()))
