"""Shared data types, and the ports (interfaces) between the parts. Imports no other part, and nothing heavy."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
