"""Ablations from recorded answers: other panels, rules, policies and costs, without asking anyone again.

A variant is learned on calibration answers only and judged on cases that had no part in it: every calibration case by
a fit on other folds (whole groups at a time), or the cases of a run by a fit on all calibration cases.
"""

from doubleread.evals.sweep._grid import variants_of
from doubleread.evals.sweep._recorded import RecordedAnswers, UnseenCases
from doubleread.evals.sweep._sweep_result import Pick, Sweep, VariantScore
from doubleread.evals.sweep._sweeping import sweep
from doubleread.evals.sweep._variant import Variant

__all__ = ["Pick", "RecordedAnswers", "Sweep", "UnseenCases", "Variant", "VariantScore", "sweep", "variants_of"]
