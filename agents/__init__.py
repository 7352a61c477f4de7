"""Agents: each reads a case and gives an opinion, or abstains and says why."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
