"""Evaluation: data sets, runs, metrics, reports, and what else measures a panel."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
