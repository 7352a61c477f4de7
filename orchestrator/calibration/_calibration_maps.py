"""Fitted maps from a label's raw probability to its calibrated one, as plain numbers."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.special import expit

from doubleread.core.base import Record
from doubleread.core.types import Vector


class ConstantMap(Record):
    """The same value for every score, for samples without both outcomes."""

    shape: Literal["constant"] = "constant"
    value: float

    def __call__(self, p: Vector) -> Vector:
        return np.full(len(p), self.value)


class BetaMap(Record):
    """``logit p' = a log p - b log(1 - p) + c`` (Kull, Silva Filho and Flach 2017)."""

    shape: Literal["beta"] = "beta"
    a: float
    b: float
    c: float

    def __call__(self, p: Vector) -> Vector:
        return np.asarray(expit(self.a * np.log(p) - self.b * np.log1p(-p) + self.c))


class StepMap(Record):
    """One value per bin; ``edges`` has one entry more than ``values``, bins are closed above."""

    shape: Literal["steps"] = "steps"
    edges: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, p: Vector) -> Vector:
        index = np.digitize(p, self.edges, right=True) - 1
        return np.array(self.values)[np.clip(index, 0, len(self.values) - 1)]


class LinesMap(Record):
    """Straight lines between ``points``, flat outside them."""

    shape: Literal["lines"] = "lines"
    points: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, p: Vector) -> Vector:
        return np.asarray(np.interp(p, self.points, self.values))


ScoreMap = Annotated[ConstantMap | BetaMap | StepMap | LinesMap, Field(discriminator="shape")]
