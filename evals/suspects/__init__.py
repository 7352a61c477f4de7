"""Labels that look wrong: ranked, shown beside what they should look like, and corrected from a table.

``ranking`` says how likely each label is, ``finding`` makes records of it, ``page`` and ``corrections`` are what people
decide with.
"""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
