"""Every declared metric of one reader, the panel or an agent; and the panel on cases that share a value of a column."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from doubleread.core.errors import DataError
from doubleread.core.task import Task
from doubleread.core.types import Labels, Matrix
from doubleread.evals.metrics.evaluation import Curve, LabelFigures, ReaderFigures, Subgroup
from doubleread.evals.metrics.run_columns import SPLIT, RunColumns
from doubleread.orchestrator import metrics
from doubleread.orchestrator.metrics import Flags, losses
from doubleread.orchestrator.metrics.calibration_metrics import expected_error
from doubleread.orchestrator.metrics.draws import Draws
from doubleread.orchestrator.metrics.label_metrics import label_scores
from doubleread.orchestrator.metrics.metric import MetricSample
from doubleread.orchestrator.simplex import spoken

POINTS = 400
"""Of a curve, at most."""
SMALL = 10
MOST = 100
"""Values of a column; more are no subgroups."""


def reader_figures(name: str, task: Task, P: Matrix, labels: Labels, draws: Draws) -> ReaderFigures | None:
    """Of distributions ``(n, k)`` and true labels ``(n,)``: the cases with both are judged, None where there is none.

    A row of NaN is a case on which the reader was silent; a negative label one whose label is not known.
    """
    sample = MetricSample.of(P, labels, draws)
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


def _labels(task: Task, sample: MetricSample) -> list[LabelFigures]:
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


def _curve(sample: MetricSample) -> Curve:
    curve = metrics.risk_coverage(sample.confidence, sample.correct)
    kept = np.unique(np.linspace(0, len(sample.y) - 1, min(len(sample.y), POINTS)).round().astype(int))
    return Curve(coverage=tuple(curve.coverage[kept].tolist()), risk=tuple(curve.risk[kept].tolist()))


def subgroups(columns: RunColumns, draws: Draws) -> Iterator[Subgroup]:
    """Column by column, the largest first; the split only where cases come from more than one.

    Raises ``DataError`` for a column of more than a hundred values.
    """
    for column, values in columns.subgroups.items():
        counts = Counter(value for value, known in zip(values, columns.labelled.tolist(), strict=True) if known)
        if len(counts) > MOST:
            raise DataError(
                f"column {column!r} has {len(counts):,} different values, too many for subgroups "
                f"(at most {MOST}): choose a column with fewer values"
            )
        if column == SPLIT and len(counts) < 2:
            continue
        for value, n in counts.most_common():
            yield _subgroup(column, value, n, _rows(columns, values, value), columns, draws)


def _rows(columns: RunColumns, values: Sequence[str], value: str) -> Flags:
    """Labelled cases of a value that the panel answered."""
    same = np.fromiter((one == value for one in values), bool, columns.n)
    return np.asarray(same & columns.labelled & spoken(columns.posterior))


def _subgroup(column: str, value: str, n: int, rows: Flags, columns: RunColumns, draws: Draws) -> Subgroup:
    P, y = columns.posterior[rows], columns.labels[rows]
    nll = np.zeros(columns.n)
    nll[rows] = losses(P, y)
    return Subgroup(
        column=column,
        value=value,
        n=n,
        small=n < SMALL,
        accuracy=draws.share(columns.said == columns.labels, rows),
        nll=draws.mean(nll, rows),
        ece=expected_error(MetricSample(P, y, draws, rows)) if rows.any() else None,
    )
