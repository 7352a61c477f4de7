"""Every fusion rule over every calibrator on the same answers, side by side, on cases that no fit has seen."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from doubleread.core.base import Record
from doubleread.core.types import Labels, Tensor3, Vector
from doubleread.orchestrator import metrics
from doubleread.orchestrator.fusion import FUSION_RULES
from doubleread.orchestrator.learning.fusion_learning import Sample, learn, learn_rules
from doubleread.orchestrator.resampling import Groups, grouped_folds

CALIBRATORS = ("temperature", "vector", "none")


class CatalogueEntry(Record):
    """How one pair of rule and calibrator did."""

    rule: str
    calibrator: str
    accuracy: float
    nll: float
    brier: float
    ece10: float
    ece15: float
    chance15: float
    """Chance level of the ECE in 15 bins: the mean of a perfectly calibrated panel with these confidences."""
    classwise_ece: float
    aurc: float
    accuracy_at_90: float
    """Among the surest 90 % of cases."""
    chosen_by: float
    """Cross-validated log-loss on the cases it was learned from, by which ``auto`` chooses."""


def cross_fitted(raw: Tensor3, labels: Labels, repeats: int) -> Iterator[CatalogueEntry]:
    """Each case judged by fits on other folds, ``repeats`` times over with seeds 0, 1, 2…"""
    for rule, calibrator in product(FUSION_RULES.names(), CALIBRATORS):
        found = [
            learn(
                raw, Sample(labels, folds=grouped_folds(labels, None, 5, seed)), rule=rule, calibrator=calibrator
            ).held_out
            for seed in range(repeats)
        ]
        entries = [_entry(rule, calibrator, P, labels, metrics.nll(P, labels)) for P in found]
        yield _mean(entries)


def judged(
    raw: Tensor3, labels: Labels, groups: Groups, prior: Vector | None, unseen: Tensor3, truth: Labels
) -> Iterator[CatalogueEntry]:
    """Learned from ``raw``, judged on ``unseen``."""
    for calibrator in CALIBRATORS:
        fits = learn_rules(raw, Sample(labels, groups, prior), rules=FUSION_RULES.names(), calibrator=calibrator)
        for rule, fit in fits.items():
            yield _entry(rule, calibrator, fit.fuse(unseen), truth, metrics.nll(fit.held_out, labels))


def _entry(
    rule: str, calibrator: str, P: np.ndarray[tuple[int, int], np.dtype[np.float64]], y: Labels, by: float
) -> CatalogueEntry:
    confidence, correct = metrics.confidences(P), metrics.correctness(P, y)
    return CatalogueEntry(
        rule=rule,
        calibrator=calibrator,
        accuracy=float(correct.mean()),
        nll=metrics.nll(P, y),
        brier=metrics.brier(P, y),
        ece10=metrics.ece(confidence, correct, 10),
        ece15=metrics.ece(confidence, correct, 15),
        chance15=metrics.ece_chance(confidence, 15, np.random.default_rng(0)).mean,
        classwise_ece=metrics.classwise_ece(P, y),
        aurc=metrics.aurc(confidence, correct),
        accuracy_at_90=metrics.accuracy_at_coverage(confidence, correct, 0.9),
        chosen_by=by,
    )


def _mean(entries: Sequence[CatalogueEntry]) -> CatalogueEntry:
    numbers = [name for name, field in CatalogueEntry.model_fields.items() if field.annotation is float]
    return entries[0].model_copy(
        update={name: float(np.mean([getattr(entry, name) for entry in entries])) for name in numbers}
    )
