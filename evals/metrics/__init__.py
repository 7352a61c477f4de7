"""What a run comes to: figures with intervals, two runs compared, gates, and tables for other tools."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
