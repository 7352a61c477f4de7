"""Diagrams as self-contained SVG: no script, no font or file from elsewhere, light and dark."""

from doubleread.evals.drawings.archive_map import MapPoint, archive_map
from doubleread.evals.drawings.reliability import ReliabilityPanel, reliability_diagram, reliability_grid
from doubleread.evals.drawings.risk_coverage import risk_coverage_diagram
from doubleread.evals.drawings.sweep import Variation, sweep_diagram

__all__ = [
    "MapPoint",
    "ReliabilityPanel",
    "Variation",
    "archive_map",
    "reliability_diagram",
    "reliability_grid",
    "risk_coverage_diagram",
    "sweep_diagram",
]
