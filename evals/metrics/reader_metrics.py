"""The figures of one reader: the panel, or an agent."""

import numpy as np

from doubleread.core.task import Task
from doubleread.core.trust import Estimate
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.evals.metrics.binned import BINS, calibration_errors
from doubleread.evals.metrics.bootstrap import Draws, certain, estimate, ratio, with_wilson
from doubleread.evals.metrics.evaluation import Curve, LabelFigures, ReaderFigures
from doubleread.evals.metrics.ranking_quality import ranking
from doubleread.orchestrator import metrics
from doubleread.orchestrator.simplex import spoken

OCR_THRESHOLD = 0.8
POINTS = 400
"""Of a curve, at most."""


def reader_figures(name: str, task: Task, P: Matrix, labels: Labels, draws: Draws) -> ReaderFigures | None:
    """Of distributions ``(n, k)`` and true labels ``(n,)``: the cases with both are judged, None where there is none.

    A row of NaN is a case on which the reader was silent; a negative label one whose label is not known.
    """
    known = labels >= 0
    rows = known & spoken(P)
    if not rows.any():
        return None
    p, y = P[rows], labels[rows]
    confidence, correct = metrics.confidences(p), metrics.correctness(p, y)
    errors = calibration_errors(p, y, draws, rows)
    ranked = ranking(confidence, correct, draws, rows)
    each, balanced, macro_f1 = _labels(task, p, y, draws, rows)

    def mean(values: Vector | metrics.Flags) -> Estimate:
        return certain(estimate(ratio(draws.total(values, rows), draws.total(np.ones(len(y)), rows))))

    def share(flags: metrics.Flags) -> Estimate:
        return certain(with_wilson(mean(flags), len(y)))

    return ReaderFigures(
        reader=name,
        n=len(y),
        abstained=int((known & ~rows).sum()),
        accuracy=share(correct),
        balanced_accuracy=balanced,
        macro_f1=macro_f1,
        brier=mean(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)),
        nll=mean(metrics.losses(p, y)),
        ece=errors.ece,
        ace=errors.ace,
        mce=errors.mce,
        classwise_ece=errors.classwise,
        ocr=share((confidence > OCR_THRESHOLD) & ~correct),
        ocr_threshold=OCR_THRESHOLD,
        ccc=_ccc(confidence, correct, draws, rows),
        aurc=certain(estimate(ranked.aurc)),
        e_aurc=certain(estimate(ranked.e_aurc)),
        failure_auroc=estimate(ranked.failure_auroc),
        labels=each,
        confusion=tuple(tuple(row) for row in metrics.confusion_matrix(p, y).tolist()),
        reliability=metrics.reliability_bins(confidence, correct, BINS),
        risk_coverage=_curve(confidence, correct),
    )


def _labels(
    task: Task, P: Matrix, y: Labels, draws: Draws, rows: metrics.Flags
) -> tuple[tuple[LabelFigures, ...], Estimate, Estimate]:
    """Label by label, with the mean of their recalls and of their F1."""
    said, k = P.argmax(axis=1), P.shape[1]
    one_hot = np.eye(k)
    true_sums, said_sums, both_sums = np.split(
        draws.sums(np.hstack([one_hot[y], one_hot[said], one_hot[y] * one_hot[said]]), rows), 3, axis=1
    )
    precision, recall = ratio(both_sums, said_sums), ratio(both_sums, true_sums)
    f1 = ratio(2 * both_sums, true_sums + said_sums)
    figures = []
    for label, name in enumerate(task.names):
        n_true, n_said = int(true_sums[0, label]), int(said_sums[0, label])
        figures.append(
            LabelFigures(
                label=name,
                support=n_true,
                said=n_said,
                precision=with_wilson(estimate(precision[:, label]), n_said),
                recall=with_wilson(estimate(recall[:, label]), n_true),
                f1=_f1(estimate(f1[:, label]), n_true + n_said - int(both_sums[0, label])),
            )
        )
    recalls, f1s = [one.recall for one in figures], [one.f1 for one in figures]
    return tuple(figures), _mean_over(recall, recalls), _mean_over(f1, f1s)


def _f1(found: Estimate | None, either: int) -> Estimate | None:
    """Where said and true never differ, or never agree: from Wilson's interval of the share of agreement.

    F1 is ``2 J / (1 + J)`` of the share ``J`` that is both said and true, among the ``either`` cases that are one.
    """
    if found is None or 0 < found.value < 1:
        return found
    agreed = certain(with_wilson(found, either))
    return Estimate(value=found.value, low=2 * agreed.low / (1 + agreed.low), high=2 * agreed.high / (1 + agreed.high))


def _mean_over(values: Matrix, each: list[Estimate | None]) -> Estimate:
    """The mean over labels; where no label knows doubt, the mean of their intervals."""
    found = certain(estimate(ratio(np.nansum(values, axis=1), np.isfinite(values).sum(axis=1))))
    if 0 < found.value < 1:
        return found
    there = [one for one in each if one is not None]
    low, high = (float(np.mean([getattr(one, end) for one in there])) for end in ("low", "high"))
    return Estimate(value=found.value, low=low, high=high)


def _ccc(confidence: Vector, correct: metrics.Flags, draws: Draws, rows: metrics.Flags) -> Estimate | None:
    """Pearson's correlation from sums; where the whole sample has none there is none."""
    if metrics.confidence_correctness_correlation(confidence, correct) is None:
        return None
    x, right = confidence - confidence.mean(), correct - correct.mean()  # centred: no digits are lost
    columns = np.stack([np.ones(len(x)), x, right, x * x, right * right, x * right], axis=1)
    n, sx, sr, sxx, srr, sxr = draws.sums(columns, rows).T
    spread = (n * sxx - sx**2).clip(0) * (n * srr - sr**2).clip(0)
    return estimate(ratio(n * sxr - sx * sr, np.sqrt(np.where(spread > 1e-12, spread, 0))))


def _curve(confidence: Vector, correct: metrics.Flags) -> Curve:
    curve = metrics.risk_coverage(confidence, correct)
    kept = np.unique(np.linspace(0, len(confidence) - 1, min(len(confidence), POINTS)).round().astype(int))
    return Curve(coverage=tuple(curve.coverage[kept].tolist()), risk=tuple(curve.risk[kept].tolist()))
