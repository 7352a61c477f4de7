"""The report of a run: one file that needs nothing else, with the figures and every case behind them."""

from doubleread.evals.report.report_page import write_report

__all__ = ["write_report"]
