"""Inspection sessions: images, the panel's readings of them, and the conversation about them."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
