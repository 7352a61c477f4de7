"""A memory of patches by label: how far is each patch of an image from what the label's images look like there?

Features are standardised at each place of the grid, with the mean ``μ`` of the known cases and their deviation ``σ``
within the labels, both of shape ``(rows, columns, channels)``:

    z = (x - μ) / σ                                  σ² shrunk towards that over the grid, worth ``SHRINK`` cases
    d_k(patch) = min |z - m| / √channels over the memory m of label k

A distance of 1 is thus one standard deviation in every channel. Convolutions see padding at the border, and parts have
a place; without this step most distant patches are border ones (generated surfaces with small defects: AUROC .74
without it, .92 with it).

The memory of a label is a coreset of its patches, chosen greedily so that no patch is far from all chosen ones
(k-center), on a random projection: PatchCore, Roth et al. 2022 (arXiv 2106.08265, algorithm 1). It has a bounded size,
and the same cases give the same memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from doubleread.agents._folds import Indices
from doubleread.core.types import Labels, Matrix, Patches, Vector

Reals: TypeAlias = NDArray[np.float32]

LARGEST = 8_000
"""Patches in the memory, of all labels together."""
LARGEST_LABEL = 1_000
CANDIDATES = 16_000
"""Patches of a label from which its memory is chosen: as many of each case, drawn at random."""
SHRINK = 10.0
NEIGHBOURS = 9
"""Of a patch of the memory: how crowded its surroundings are re-weights the largest distance."""
_PROJECTED = 32
_SMALL = 1e-4


@dataclass(frozen=True)
class PatchMemory:
    """Fitted on all cases; ``kept`` are standardised patches ``(m, channels)``, ``labels`` their labels ``(m,)``."""

    centre: Reals
    width: Reals
    kept: Reals
    labels: Labels
    n_labels: int

    def look(self, patches: Patches | Reals, without: NDArray[np.bool_] | None = None) -> "PatchLook":
        """Compares the patches ``(rows, columns, channels)`` of an image with the memory of each label.

        ``without`` marks patches of the memory that are not used, shape ``(m,)``; a label keeps its own if all of its
        patches are marked.
        """
        z = self.standardised(patches)
        found = [_nearest(z, self.kept[self._used(k, without)]) for k in range(self.n_labels)]
        distances = np.stack([one for one, _ in found]).reshape(self.n_labels, *patches.shape[:2])
        return PatchLook(distances, np.array([largest for _, largest in found]))

    def standardised(self, patches: Patches | Reals) -> Reals:
        """``z`` as rows, shape ``(rows · columns, channels)``."""
        z: Reals = (patches.astype(np.float32) - self.centre) / self.width
        return z.reshape(-1, z.shape[-1])

    def _used(self, label: int, without: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        own: NDArray[np.bool_] = self.labels == label
        others = own if without is None else own & ~without
        return others if others.any() else own


class PatchLook(NamedTuple):
    """How far an image is from each label's memory."""

    distances: Reals
    """``d_k`` of each patch, shape ``(n_labels, rows, columns)``."""
    largest: Vector
    """The largest distance to each label, re-weighted, shape ``(n_labels,)``."""


@dataclass(frozen=True)
class FilledMemory:
    """A memory, and what is needed to look at the cases that filled it as if they were new."""

    memory: PatchMemory
    blocks: Indices
    """The block of cases that each of its patches comes from, shape ``(m,)``."""
    moments: "_Moments"

    def held_out(self, patches: Patches | Reals, label: int, block: int) -> PatchLook:
        """Looks at one of its cases without the patches of its block, and standardised without the case itself.

        A rare defect widens ``σ`` at its own place; a new one does not.
        """
        rest = self.moments.without(patches.astype(np.float32).reshape(-1, patches.shape[-1]), label)
        shape = self.memory.centre.shape
        memory = replace(self.memory, centre=rest.centre.reshape(shape), width=rest.width.reshape(shape))
        return memory.look(patches, self.blocks == block)


def fill(patches: Iterable[Patches | Reals], labels: Labels, blocks: Indices, n_labels: int) -> FilledMemory:
    """Fills a memory from cases, one after the other; at most ``CANDIDATES`` patches of a label are held meanwhile."""
    counts = np.bincount(labels, minlength=n_labels)
    rng = np.random.default_rng(0)
    moments, drawn, places, owners = _Moments(n_labels), list[Reals](), list[Indices](), list[int]()
    for i, one in enumerate(patches):
        flat = one.astype(np.float32).reshape(-1, one.shape[-1])
        moments.add(flat, int(labels[i]))
        some = min(len(flat), max(1, CANDIDATES // int(counts[labels[i]])))
        place = rng.permutation(len(flat))[:some]
        drawn.append(flat[place])
        places.append(place)
        owners += [i] * some
        shape = one.shape
    centre, width = moments.centre, moments.width
    place = np.concatenate(places)
    z = (np.concatenate(drawn) - centre[place]) / width[place]
    owner = np.array(owners)
    chosen = np.concatenate(list(_coresets(z, labels[owner], n_labels)))
    kept, of = z[chosen], owner[chosen]
    memory = PatchMemory(centre.reshape(shape), width.reshape(shape), kept, labels[of], n_labels)
    return FilledMemory(memory, blocks[of], moments)


def coreset(rows: Reals, size: int) -> Indices:
    """Indices of at most ``size`` rows, chosen greedily: the next is the one farthest from all chosen before."""
    if len(rows) <= size:
        return np.arange(len(rows))
    squares = (rows**2).sum(axis=1)
    chosen = np.zeros(size, np.intp)
    nearest = np.full(len(rows), np.inf, np.float32)
    chosen[0] = int(np.argmin(((rows - rows.mean(axis=0)) ** 2).sum(axis=1)))
    for i in range(1, size):
        last = chosen[i - 1]
        np.minimum(nearest, squares - 2 * (rows @ rows[last]) + squares[last], out=nearest)
        chosen[i] = int(nearest.argmax())
    return chosen


def _coresets(z: Reals, labels: Labels, n_labels: int) -> Iterator[Indices]:
    size = min(LARGEST_LABEL, max(1, LARGEST // n_labels))
    projection = np.random.default_rng(0).normal(size=(z.shape[1], _PROJECTED)).astype(np.float32)
    for k in range(n_labels):
        own = np.flatnonzero(labels == k)
        rows = z[own] if z.shape[1] <= _PROJECTED else z[own] @ projection
        yield own[coreset(rows, size)]


def _nearest(z: Reals, memory: Reals) -> tuple[Reals, float]:
    """Distances to the nearest patch of a memory, ``(len(z),)``, and the largest of them, re-weighted (eq. 7)."""
    distances = _distances(z, memory)
    nearest: Reals = distances.min(axis=1)
    odd = int(nearest.argmax())
    if len(memory) == 1:
        return nearest, float(nearest[odd])
    around = np.argsort(_distances(memory[[distances[odd].argmin()]], memory)[0], kind="stable")[:NEIGHBOURS]
    weight = 1 - 1 / np.exp(distances[odd, around].astype(float) - nearest[odd]).sum()
    return nearest, float(nearest[odd] * weight)


def _distances(one: Reals, other: Reals) -> Reals:
    """Distances in standard deviations, ``(len(one), len(other))``."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * (one @ other.T)
    found: Reals = np.sqrt(np.maximum(squares, 0) / one.shape[1])
    return found


class _Moments:
    """Mean, and deviation within the labels, at every place of the grid; from one case after the other."""

    def __init__(self, n_labels: int) -> None:
        self._counts = np.zeros(n_labels)
        self._sums: list[Matrix | float] = [0.0] * n_labels
        self._squares: Matrix | float = 0.0

    def add(self, flat: Reals, label: int) -> None:
        wide = flat.astype(np.float64)
        self._counts[label] += 1
        self._sums[label] = self._sums[label] + wide
        self._squares = self._squares + wide**2

    def without(self, flat: Reals, label: int) -> "_Moments":
        """The moments of all other cases; of all cases if there is no other."""
        if self._counts.sum() == 1:
            return self
        rest = _Moments(len(self._counts))
        rest._counts, rest._sums = self._counts.copy(), list(self._sums)
        rest._counts[label] -= 1
        rest._sums[label] = self._sums[label] - flat.astype(np.float64)
        rest._squares = self._squares - flat.astype(np.float64) ** 2
        return rest

    @property
    def centre(self) -> Reals:
        return np.asarray(sum(self._sums) / self._counts.sum(), np.float32)

    @property
    def width(self) -> Reals:
        between = sum(of**2 / n for of, n in zip(self._sums, self._counts, strict=True) if n)
        free = max(1.0, float((self._counts - 1).clip(0).sum()))
        n, within = self._counts.sum(), np.maximum(self._squares - between, 0)
        overall = np.mean(self._squares, axis=0) / n - np.mean(sum(self._sums) / n, axis=0) ** 2
        shrunk = (within + SHRINK * np.maximum(overall, 0)) / (free + SHRINK)
        return np.asarray(np.sqrt(shrunk) + _SMALL, np.float32)
