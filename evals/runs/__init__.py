"""A run: a panel's verdicts on a data set, in a folder that only grows.

run.json        what was run, with what, on what
rows.jsonl      one line a case, in the order they came in: its verdict, or why there is none
"""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
