"""Where an agent's probability for a label rests in the image: what covering each part of it does to it."""

from collections.abc import Collection, Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.types import Matrix

CELLS = 6
"""Rows and columns of equal cells that an image is divided into, whatever its shape. Kept sessions hold such maps."""
WINDOW = 2
"""Cells on each side of the part that is covered at a time."""
WINDOWS = CELLS + WINDOW - 1
"""Windows in a row, and in a column, a cell apart; the outer ones reach over the edge, so that every cell is covered
equally often, and none looks important for lying there."""
NEGLIGIBLE = 0.02
"""An agent whose probability no window moves by as much has a flat map: nothing is drawn."""
LEAST_SCALE = 0.1
"""Where a scale of colours ends at the least, so that small effects look small."""


_PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)


class Region(Record):
    """A part of an image, in shares of its width and height from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def place(self) -> str:
        """In words, by thirds: ``upper left``, ``top``, ``centre`` …"""
        across, down = (int(3 * share / 2) for share in (self.left + self.right, self.top + self.bottom))
        return _PLACES[down][across]


class Effect(Record):
    """What covering a region does to a probability."""

    region: Region
    before: float
    after: float

    @property
    def drop(self) -> float:
        """By how much it falls; negative where it rises."""
        return self.before - self.after


class AttributionMap(Record):
    """One agent's map for one label; probabilities are calibrated, of its first look at the whole image."""

    agent: str
    label: str
    before: float
    """With nothing covered."""
    after: tuple[tuple[float, ...], ...]
    """With each window covered: ``WINDOWS`` rows from the top, of as many windows from the left."""

    @property
    def drops(self) -> Matrix:
        """By how much covering each window lowers the probability, shape ``(WINDOWS, WINDOWS)``."""
        return self.before - np.array(self.after)

    @property
    def cells(self) -> Matrix:
        """For each cell the mean drop of the windows that cover it, shape ``(CELLS, CELLS)``."""
        total = np.zeros((CELLS, CELLS))
        for (row, column), drop in np.ndenumerate(self.drops):
            total[window_cells(row, column)] += drop
        return total / WINDOW**2

    @property
    def lowers(self) -> Effect:
        """The window that lowers the probability most."""
        return self._effect(int(self.drops.argmax()))

    @property
    def raises(self) -> Effect:
        """The window that raises it most."""
        return self._effect(int(self.drops.argmin()))

    @property
    def takes(self) -> Region | None:
        """The part whose covering takes most from the label; None where none takes anything worth telling."""
        return self.lowers.region if self.lowers.drop >= NEGLIGIBLE else None

    @property
    def adds(self) -> Region | None:
        """The part whose covering adds most to the label; None where none adds anything worth telling."""
        return self.raises.region if -self.raises.drop >= NEGLIGIBLE else None

    @property
    def flat(self) -> bool:
        """Whether no window has an effect worth drawing."""
        return bool(np.abs(self.drops).max() < NEGLIGIBLE)

    @property
    def line(self) -> str:
        """What the map shows, in numbers."""
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
    """Where the agents' probabilities for a label rest in an image, by occlusion."""

    case: Case
    label: str
    maps: tuple[AttributionMap, ...]
    without: dict[str, str]
    """Agents that have no map, and why."""
    scale: float
    """The drop at which the colours of all maps end, those of agents that were left away since among them."""
    seconds: float = 0.0

    @property
    def lines(self) -> tuple[str, ...]:
        """What is known, agent by agent, in numbers."""
        return (*(one.line for one in self.maps), *(f"{agent}: {why}" for agent, why in self.without.items()))

    @property
    def method(self) -> str:
        """How the maps were made, in a sentence."""
        return (
            f"the image was read {WINDOWS**2} times more with a part of it smoothed over ({WINDOW / CELLS:.0%} of its "
            "width and height, less at the edges); probabilities are calibrated, of a first look at the whole image"
        )

    def only(self, agents: Collection[str]) -> Self:
        """What is known of some of the agents; the scale stays."""
        maps = tuple(one for one in self.maps if one.agent in agents)
        return self.model_copy(
            update={"maps": maps, "without": {name: why for name, why in self.without.items() if name in agents}}
        )

    def of(self, agent: str) -> AttributionMap | None:
        """The map of an agent, where it has one."""
        return next((one for one in self.maps if one.agent == agent), None)


def scale_of(maps: Iterable[AttributionMap]) -> float:
    """The largest drop of any cell, at least ``LEAST_SCALE``."""
    return max([LEAST_SCALE, *(float(one.cells.max()) for one in maps)])


def region_of(row: int, column: int) -> Region:
    """Where a window lies."""
    (top, bottom), (left, right) = _span(row), _span(column)
    return Region(left=left / CELLS, top=top / CELLS, right=right / CELLS, bottom=bottom / CELLS)


def window_cells(row: int, column: int) -> NDArray[np.bool_]:
    """The cells of a window, shape ``(CELLS, CELLS)``."""
    cells = np.zeros((CELLS, CELLS), bool)
    cells[slice(*_span(row)), slice(*_span(column))] = True
    return cells


def _span(window: int) -> tuple[int, int]:
    """The first cell of a window, and the one after its last."""
    return max(0, window - WINDOW + 1), min(CELLS, window + 1)
