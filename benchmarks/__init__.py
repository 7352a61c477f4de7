"""Figures that are held to targets: ``make bench``, or ``python -m benchmarks [names…]``.

A benchmark is a function that yields ``Figure``s; it has one row in ``table.py``.
"""

from benchmarks.figure import Benchmark, Figure, Skipped

__all__ = ["Benchmark", "Figure", "Skipped"]
