"""Occlusion maps: how covering each part of an image changes an agent's probability for a label."""

from collections.abc import Collection, Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.types import Matrix

CELLS = 6
"""Rows and columns of equal cells that any image is divided into. Saved sessions contain such maps."""
WINDOW = 2
"""Side of the covered window, in cells."""
WINDOWS = CELLS + WINDOW - 1
"""Window positions along each axis, one cell apart. The outer windows reach over the edge, so that every cell is
covered equally often and position alone makes none look important."""
NEGLIGIBLE = 0.02
"""A map is flat, and nothing is drawn, if no window changes the probability by this much."""
LEAST_SCALE = 0.1
"""Smallest upper end of the colour scale, so that small effects look small."""


_PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)


class Region(Record):
    """A part of an image, as shares of its width and height from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def place(self) -> str:
        """The position in words, by thirds: ``upper left``, ``top``, ``centre`` …"""
        across, down = (int(3 * share / 2) for share in (self.left + self.right, self.top + self.bottom))
        return _PLACES[down][across]


class Effect(Record):
    """The effect of covering a region on a probability."""

    region: Region
    before: float
    after: float

    @property
    def drop(self) -> float:
        """The decrease; negative for an increase."""
        return self.before - self.after


class AttributionMap(Record):
    """One agent's map for one label, with calibrated probabilities of the first look at the whole image."""

    agent: str
    label: str
    before: float
    """Probability with nothing covered."""
    after: tuple[tuple[float, ...], ...]
    """Probability with each window covered: ``WINDOWS`` rows from the top, of as many windows from the left."""

    @property
    def drops(self) -> Matrix:
        """The decrease of the probability for each window, shape ``(WINDOWS, WINDOWS)``."""
        return self.before - np.array(self.after)

    @property
    def cells(self) -> Matrix:
        """The mean drop, for each cell, of the windows that cover it, shape ``(CELLS, CELLS)``."""
        total = np.zeros((CELLS, CELLS))
        for (row, column), drop in np.ndenumerate(self.drops):
            total[window_cells(row, column)] += drop
        return total / WINDOW**2

    @property
    def lowers(self) -> Effect:
        """The window that lowers the probability most when covered."""
        return self._effect(int(self.drops.argmax()))

    @property
    def raises(self) -> Effect:
        """The window that raises it most when covered."""
        return self._effect(int(self.drops.argmin()))

    @property
    def takes(self) -> Region | None:
        """The region whose covering lowers the probability most; None if no effect is large enough to report."""
        return self.lowers.region if self.lowers.drop >= NEGLIGIBLE else None

    @property
    def adds(self) -> Region | None:
        """The region whose covering raises the probability most; None if no effect is large enough to report."""
        return self.raises.region if -self.raises.drop >= NEGLIGIBLE else None

    @property
    def flat(self) -> bool:
        """Whether no window has an effect large enough to draw."""
        return bool(np.abs(self.drops).max() < NEGLIGIBLE)

    @property
    def line(self) -> str:
        """A summary of the map in numbers."""
        share = f"{self.agent} gives {self.label} {self.before:.1%}"
        if self.flat:
            most = np.ceil(1000 * np.abs(self.drops).max()) / 10
            points = f"no covered part moves it by more than {most:.1f} points"
            return f"{share}: the label does not rest on one place ({points})"
        effects = (("lowers", self.takes, self.lowers.after), ("raises", self.adds, self.raises.after))
        told = (f"covering the part at the {at.place} {verb} it to {to:.1%}" for verb, at, to in effects if at)
        return f"{share}: {', '.join(told)}"

    def _effect(self, index: int) -> Effect:
        row, column = divmod(index, WINDOWS)
        return Effect(region=region_of(row, column), before=self.before, after=self.after[row][column])


class Attribution(Record):
    """Occlusion maps of the agents for one label."""

    case: Case
    label: str
    maps: tuple[AttributionMap, ...]
    without: dict[str, str]
    """Reason by agent that has no map."""
    scale: float
    """The drop at the end of the colour scale of all maps, including those of agents that were filtered out."""
    seconds: float = 0.0

    @property
    def lines(self) -> tuple[str, ...]:
        """A summary for each agent, in numbers."""
        return (*(one.line for one in self.maps), *(f"{agent}: {why}" for agent, why in self.without.items()))

    @property
    def method(self) -> str:
        """How the maps were made, in a sentence."""
        return (
            f"the image was read {WINDOWS**2} times more with a part of it smoothed over ({WINDOW / CELLS:.0%} of its "
            "width and height, less at the edges); probabilities are calibrated, of a first look at the whole image"
        )

    def only(self, agents: Collection[str]) -> Self:
        """Returns the maps of some agents only, on the same scale."""
        maps = tuple(one for one in self.maps if one.agent in agents)
        return self.model_copy(
            update={"maps": maps, "without": {name: why for name, why in self.without.items() if name in agents}}
        )

    def of(self, agent: str) -> AttributionMap | None:
        """Returns the map of an agent; None if it has none."""
        return next((one for one in self.maps if one.agent == agent), None)


def scale_of(maps: Iterable[AttributionMap]) -> float:
    """Returns the largest drop of any cell, at least ``LEAST_SCALE``."""
    return max([LEAST_SCALE, *(float(one.cells.max()) for one in maps)])


def region_of(row: int, column: int) -> Region:
    """Returns the region of a window."""
    (top, bottom), (left, right) = _span(row), _span(column)
    return Region(left=left / CELLS, top=top / CELLS, right=right / CELLS, bottom=bottom / CELLS)


def window_cells(row: int, column: int) -> NDArray[np.bool_]:
    """Returns a mask of the cells of a window, shape ``(CELLS, CELLS)``."""
    cells = np.zeros((CELLS, CELLS), bool)
    cells[slice(*_span(row)), slice(*_span(column))] = True
    return cells


def _span(window: int) -> tuple[int, int]:
    """Returns the first cell of a window, and the one after its last."""
    return max(0, window - WINDOW + 1), min(CELLS, window + 1)
