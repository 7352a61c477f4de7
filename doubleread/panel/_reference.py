"""The reference pictures of a panel, from fitting and calibration, that later pictures are compared with.

``reference.npz`` in the panel's folder holds statistics of every picture and, for at most 1,500 calibration cases,
embeddings, groups and the panel's held-out labels. Without that file, only black, white and empty pictures are
flagged, and batches cannot be judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.case import Case
from doubleread.core.safe_files import read_arrays
from doubleread.core.types import Embeddings, Labels, Matrix
from doubleread.orchestrator.simplex import spoken
from doubleread.rag.images.picture_quality import ABSOLUTE, CHECKS, UsualPictures, unusual_pictures

FILE = "reference.npz"
MOST = 1500
"""Largest number of calibration cases whose embeddings are kept."""
_ALONE = ""
"""Stored for the group of a case without one."""


@dataclass(frozen=True)
class Looked:
    """Cases to compare, row by row."""

    embeddings: Embeddings
    statistics: Embeddings
    said: Labels
    """Index of the label that the panel found most probable; -1 if no agent gave an opinion."""
    groups: tuple[str | None, ...] | None
    """None if no case has a group."""

    def __len__(self) -> int:
        return len(self.said)

    def __getitem__(self, rows: NDArray[np.int64]) -> "Looked":
        groups = None if self.groups is None else tuple(self.groups[i] for i in rows)
        return Looked(self.embeddings[rows], self.statistics[rows], self.said[rows], groups)


@dataclass(frozen=True)
class PictureReference:
    """Statistics of a panel's pictures and its calibration cases."""

    usual: UsualPictures
    calibration: Looked

    def note(self, statistics: Embeddings, sources: Sequence[str]) -> tuple[str, ...]:
        """Describes what is unusual among the panel's own pictures."""
        return unusual_pictures(self.usual.names(statistics), sources)

    @classmethod
    def of(cls, statistics: Embeddings, groups: Sequence[str | None], calibration: Looked) -> Self:
        """Builds it from the statistics of every picture, and the calibration cases."""
        return cls(
            UsualPictures.fit(statistics, groups), calibration[whole_groups(calibration.groups, len(calibration), MOST)]
        )

    def save(self, folder: Path) -> None:
        """Writes ``reference.npz``."""
        kept = self.calibration
        groups = [] if kept.groups is None else [group or _ALONE for group in kept.groups]
        with (folder / FILE).open("wb") as file:
            np.savez_compressed(
                file,
                fences=np.nan_to_num(self.usual.fences, posinf=0, neginf=0),
                fenced=np.isfinite(self.usual.fences),
                absolute=self.usual.absolute,
                embeddings=kept.embeddings.astype(np.float16),
                statistics=kept.statistics,
                said=kept.said,
                groups=np.array(groups, dtype=np.str_),
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote. Raises ``FileError`` or ``ValueError`` if damaged, ``KeyError`` for another."""
        a = read_arrays(path)
        names = [str(name) for name in a["groups"]]
        kept = Looked(
            _rows(a["embeddings"].astype(np.float32)),
            _rows(a["statistics"]),
            a["said"].astype(np.int64, casting="safe"),
            tuple(name or None for name in names) if names else None,
        )
        n = len(kept.embeddings)
        if {len(kept.statistics), len(kept.said), n, len(names) or n} != {n}:
            raise ValueError("its arrays have different numbers of rows")
        nowhere = np.array([np.inf * check.side for check in CHECKS])
        fences, fenced, absolute = a["fences"], a["fenced"], a["absolute"]
        if not fences.shape == fenced.shape == nowhere.shape or absolute.shape != (len(ABSOLUTE),):
            raise ValueError("it has other limits than this doubleread checks")
        usual = UsualPictures(np.where(fenced, fences.astype(float), nowhere), absolute.astype(np.bool_))
        return cls(usual, kept)


def _rows(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 2:
        raise ValueError("it should hold one row a picture")
    return array


def groups_of(cases: Sequence[Case]) -> tuple[str | None, ...] | None:
    """Returns the group of each case, or None if none has one; a case without a group is then its own group."""
    return None if all(case.group is None for case in cases) else tuple(case.group for case in cases)


def said_of(posterior: Matrix) -> Labels:
    """Returns the index of the largest value of each row; -1 if the row is all NaN."""
    there = spoken(posterior)
    return np.where(there, np.nan_to_num(posterior).argmax(axis=1), -1).astype(np.int64)


def whole_groups(groups: Sequence[str | None] | None, n: int, most: int) -> NDArray[np.int64]:
    """Returns at most ``most`` rows in random whole groups; all rows if there are no more.

    Without groups, single rows are drawn. A single group that is too large is cut.
    """
    if n <= most:
        return np.arange(n, dtype=np.int64)
    names = [f"case {i}" if group is None else f"group {group}" for i, group in enumerate(groups or [None] * n)]
    codes = np.unique(names, return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(codes.max() + 1)
    rows = np.argsort(np.argsort(order)[codes], kind="stable")
    sizes = np.bincount(codes)[order].cumsum()
    fits = sizes[sizes <= most]
    return np.sort(rows[: int(fits[-1]) if len(fits) else most]).astype(np.int64)
