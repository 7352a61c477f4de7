"""Everything between opinions and verdict: trust, calibration, fusion, gates and guarantees."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
