"""Registry of nonconformity scores. A new score needs one file here and one row in this table.

A score is a function of distributions ``(n, k)`` and of one random number per case ``(n,)``, which it may ignore; it
returns a number for every label of every case, ``(n, k)``: the higher, the worse the label fits.
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
