"""The nonconformity scores there are. A new one is one file here and one row in this table.

A score is a function of distributions, shape ``(n, k)``, and of one chance a case, ``(n,)``, which it may leave unused;
it gives every label of every case a number, ``(n, k)``: the higher, the worse the label fits.
"""

from collections.abc import Callable
from typing import TypeAlias

from doubleread.core.registry import Registry
from doubleread.core.types import Matrix, Vector

Score: TypeAlias = Callable[[Matrix, Vector], Matrix]
_HERE = "doubleread.orchestrator.conformal"

SCORES = Registry(
    "conformal score",
    "doubleread.conformal_scores",
    {
        "lac": f"{_HERE}.lac:lac",
        "aps": f"{_HERE}.aps:aps",
        "raps": f"{_HERE}.raps:raps",
    },
)
