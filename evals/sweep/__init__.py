"""Ablations from recorded answers: other panels, rules, policies and costs, without asking anyone again.

A variant is learned on calibration answers only and judged on cases that had no part in it: every calibration case by
a fit on other folds (whole groups at a time), or the cases of a run by a fit on all calibration cases.
"""

from doubleread.evals.sweep.grid import variants_of
from doubleread.evals.sweep.recorded import RecordedAnswers, UnseenCases
from doubleread.evals.sweep.sweep_result import Pick, Sweep, VariantScore
from doubleread.evals.sweep.sweeping import sweep
from doubleread.evals.sweep.variant import Variant

__all__ = ["Pick", "RecordedAnswers", "Sweep", "UnseenCases", "Variant", "VariantScore", "sweep", "variants_of"]
