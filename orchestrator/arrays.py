"""Array fields of dataclasses, converted to and from JSON by pydantic; a row with NaN becomes null."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, PlainSerializer, PlainValidator

CONFIG = ConfigDict(arbitrary_types_allowed=True, extra="forbid", allow_inf_nan=False)


def _rows(values: NDArray[np.float64] | None) -> Any:
    if values is None or values.ndim > 1:
        return values if values is None else [_rows(one) for one in values]
    return None if np.isnan(values).any() else values.tolist()


def _array(data: Any) -> NDArray[np.float64]:
    if isinstance(data, np.ndarray):
        return data
    found = np.array(_filled(data, _width(data)), dtype=float)
    if np.isinf(found).any():
        raise ValueError("numbers must be finite")
    return found


def _filled(data: Any, width: int) -> Any:
    if data is None:
        return [np.nan] * width
    return [_filled(one, width) for one in data] if isinstance(data, list | tuple) else data


def _width(data: Any) -> int:
    """Length of the rows."""
    if not isinstance(data, list | tuple):
        raise ValueError("a list of numbers is needed")
    nested = [one for one in data if isinstance(one, list | tuple)]
    return max(map(_width, nested)) if nested else len(data)


Array = Annotated[NDArray[np.float64], PlainValidator(_array), PlainSerializer(_rows)]
MaybeArray = Annotated[
    NDArray[np.float64] | None,
    PlainValidator(lambda data: None if data is None else _array(data)),
    PlainSerializer(_rows),
]
FlagArray = Annotated[
    NDArray[np.bool_], PlainValidator(lambda data: np.asarray(data, dtype=bool)), PlainSerializer(lambda a: a.tolist())
]
