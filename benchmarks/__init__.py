"""Figures that are held to targets: ``make bench``, or ``python -m benchmarks [names…]``.

A benchmark is a function that yields ``Figure``s; its name is a row of ``registry.py``.
"""

from benchmarks.figure import Benchmark, Figure, Skipped

__all__ = ["Benchmark", "Figure", "Skipped"]
