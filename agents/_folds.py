"""Folds for an agent's own cross-validation: whole groups are held out, and every label stays in training."""

import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Labels

Indices: TypeAlias = NDArray[np.intp]


class HeadFold(NamedTuple):
    """Row indices of the training and held-out cases."""

    training: Indices
    held_out: Indices


def as_blocks(groups: Sequence[str] | None, n: int) -> Indices:
    """Group indices ``(n,)``; without groups every case is its own group."""
    return np.unique(np.arange(n) if groups is None else np.asarray(groups), return_inverse=True)[1]


def blocks_per_label(labels: Labels, blocks: Indices, n_labels: int) -> NDArray[np.float64]:
    """Number of distinct groups of each label, shape ``(n_labels,)``."""
    return np.array([len(np.unique(blocks[labels == k])) for k in range(n_labels)], dtype=float)


def label_folds(labels: Labels, blocks: Indices, *, folds: int, seed: int = 0) -> Iterator[HeadFold]:
    """Yields at most ``folds`` folds that hold out whole groups, stratified by label.

    Fewer if a label has fewer groups, none if no fold is possible. The only group of a label is never held out.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - slow to import, and only fitting needs it

    n_labels = int(labels.max()) + 1
    counts = blocks_per_label(labels, blocks, n_labels)
    alone = [np.unique(blocks[labels == k]) for k in np.flatnonzero(counts == 1)]
    free = np.flatnonzero(~np.isin(blocks, np.concatenate(alone))) if alone else np.arange(len(labels))
    wanted = min(folds, int(min(counts[counts > 1], default=0)), len(np.unique(blocks[free])))
    if wanted < 2:
        return
    splitter = StratifiedGroupKFold(wanted, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a label whose other groups stay in training may have fewer cases than folds
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        parts = [free[part] for _, part in splitter.split(free, labels[free], blocks[free])]
    for held_out in parts:
        training = np.setdiff1d(np.arange(len(labels)), held_out)
        if len(held_out) and len(np.unique(labels[training])) == len(np.unique(labels)):
            yield HeadFold(training, held_out)
