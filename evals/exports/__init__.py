"""Writes labelled cases in the formats of other tools: ImageFolder, COCO, Label Studio and FiftyOne."""

from doubleread.evals.exports.case_export import FORMATS, CaseExport, export_cases
from doubleread.evals.exports.verdict_source import VerdictSource, read_verdicts

__all__ = ["FORMATS", "CaseExport", "VerdictSource", "export_cases", "read_verdicts"]
