"""Inspection sessions in the browser: ``doubleread serve``."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
