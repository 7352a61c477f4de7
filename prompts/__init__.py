"""Versioned prompt files (``library/`` and the user's folder) and their strict rendering."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
