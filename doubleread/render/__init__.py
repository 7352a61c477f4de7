"""Rendering of verdicts: cards for terminals, web pages and notebooks."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
