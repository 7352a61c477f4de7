"""Diagrams as self-contained SVG: no script, no font or file from elsewhere, light and dark."""

from doubleread.evals.drawings.reliability import ReliabilityPanel, reliability_diagram, reliability_grid
from doubleread.evals.drawings.risk_coverage import risk_coverage_diagram

__all__ = ["ReliabilityPanel", "reliability_diagram", "reliability_grid", "risk_coverage_diagram"]
