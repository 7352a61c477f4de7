"""The nonconformity scores there are. A new one is one file here and one row in this table."""

from doubleread.core.registry import Registry

_HERE = "doubleread.orchestrator.conformal"

SCORES = Registry(
    "conformal score",
    "doubleread.conformal_scores",
    {
        "lac": f"{_HERE}.lac:Lac",
        "aps": f"{_HERE}.aps:Aps",
        "raps": f"{_HERE}.raps:Raps",
    },
)
