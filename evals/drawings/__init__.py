"""Diagrams as self-contained SVG: no script, no font or file from elsewhere, light and dark."""

from doubleread.evals.drawings._confusion import confusion_matrix
from doubleread.evals.drawings._forest import ForestRow, forest_plot
from doubleread.evals.drawings._reliability import ReliabilityPanel, reliability_diagram, reliability_grid
from doubleread.evals.drawings._robustness import RobustnessCurve, RobustnessPlot, robustness_grid
from doubleread.evals.drawings._second_look_chart import Turns, second_look_flow
from doubleread.evals.drawings._sweep_chart import Variation, sweep_diagram
from doubleread.evals.drawings.archive_map import MapPoint, archive_map
from doubleread.evals.drawings.histogram import histogram
from doubleread.evals.drawings.risk_coverage import risk_coverage_diagram

__all__ = [
    "ForestRow",
    "MapPoint",
    "ReliabilityPanel",
    "RobustnessCurve",
    "RobustnessPlot",
    "Turns",
    "Variation",
    "archive_map",
    "confusion_matrix",
    "forest_plot",
    "histogram",
    "reliability_diagram",
    "reliability_grid",
    "risk_coverage_diagram",
    "robustness_grid",
    "second_look_flow",
    "sweep_diagram",
]
