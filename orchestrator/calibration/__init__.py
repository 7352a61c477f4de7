"""Calibrators: map raw distributions to probabilities that match observed frequencies."""

from doubleread.core.ports import Calibrator
from doubleread.core.registry import Registry
from doubleread.core.types import Json

_HERE = "doubleread.orchestrator.calibration"

CALIBRATORS = Registry(
    "calibrator",
    "doubleread.calibrators",
    {
        "temperature": f"{_HERE}.temperature:Temperature",
        "vector": f"{_HERE}.vector:VectorScaling",
        "beta": f"{_HERE}.one_vs_rest:Beta",
        "histogram": f"{_HERE}.one_vs_rest:Histogram",
        "isotonic": f"{_HERE}.one_vs_rest:Isotonic",
        "none": f"{_HERE}.identity:Identity",
    },
)


def restore_calibrator(params: Json) -> Calibrator:
    """Restores the calibrator with these ``params()``; raises ``UnknownPart`` for a ``kind`` not in the registry."""
    calibrator: Calibrator = CALIBRATORS.get(str(params.get("kind"))).from_params(params)
    return calibrator


__all__ = ["CALIBRATORS", "restore_calibrator"]
