"""Pictures that are nearly the same: embeddings almost parallel *and* perceptual hashes a few bits apart.

Embeddings alone take look-alikes for copies, hashes alone plain backgrounds. Exact copies have equal case ids already.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.types import Embeddings, Labels
from doubleread.rag.near_rule import NearRule
from doubleread.rag.perceptual_hash import distances

_BLOCK = 2048
_MOST_PAIRS = 1_000_000


class NearPair(Record):
    """Two rows that are near copies, ``first < second``."""

    first: int
    second: int
    similarity: float
    """Cosine of the embeddings."""
    distance: int
    """Bits in which the perceptual hashes differ, of 64."""


class NearDuplicates(Record):
    """All near copies among ``n`` rows."""

    n: int
    rule: NearRule
    pairs: tuple[NearPair, ...] = ()
    """The first million of ``n_pairs``; ``clusters`` are complete all the same."""
    n_pairs: int = 0
    clusters: tuple[tuple[int, ...], ...] = ()
    """Rows that hang together by near copies, at least two each."""


def find_near_duplicates(embeddings: Embeddings, hashes: NDArray[np.uint64], rule: NearRule) -> NearDuplicates:
    """The pairs of rows that are near copies by the rule, and how they hang together.

    ``embeddings``: unit-length rows ``(n, dim)``; ``hashes``: ``(n,)``. All pairs are looked at, exactly, in blocks:
    memory beyond the rows is bounded, time grows with n².
    """
    rows, codes = np.asarray(embeddings, np.float32), np.asarray(hashes, np.uint64)
    belongs, pairs, n_pairs = np.arange(len(rows)), list[NearPair](), 0
    for first, second, similarity, distance in _blocks(rows, codes, rule):
        belongs = _joined(belongs, first, second)
        n_pairs += len(first)
        found = zip(first, second, similarity, distance, strict=True)
        pairs += [
            NearPair(first=int(i), second=int(j), similarity=float(s), distance=int(d))
            for (i, j, s, d), _ in zip(found, range(_MOST_PAIRS - len(pairs)), strict=False)
        ]
    return NearDuplicates(
        n=len(rows),
        rule=rule,
        pairs=tuple(pairs),
        n_pairs=n_pairs,
        clusters=_clusters(belongs),
    )


def _blocks(
    rows: Embeddings, codes: NDArray[np.uint64], rule: NearRule
) -> Iterator[tuple[Labels, Labels, Embeddings, NDArray[np.uint8]]]:
    """First rows, second rows, similarities and distances of the near pairs, block by block of the upper triangle."""
    for top in range(0, len(rows), _BLOCK):
        for left in range(top, len(rows), _BLOCK):
            similarities = rows[top : top + _BLOCK] @ rows[left : left + _BLOCK].T
            first, second = np.nonzero(similarities >= rule.same_hash)
            apart = distances(codes[top + first], codes[left + second])
            near = rule.near(similarities[first, second], apart) & (top + first < left + second)
            if near.any():
                first, second = first[near], second[near]
                yield top + first, left + second, similarities[first, second], apart[near]


def _joined(belongs: Labels, first: Labels, second: Labels) -> Labels:
    """The component of every row once these pairs hang together."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - heavy, and needed only where there are near copies
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    n = len(belongs)
    edges = coo_array((np.ones(len(first), np.int8), (belongs[first], belongs[second])), shape=(n, n))
    found: Labels = connected_components(edges, directed=False)[1].astype(np.int64)[belongs]
    return found


def _clusters(belongs: Labels) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(belongs, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(belongs[order])) + 1)
    return tuple(sorted(tuple(map(int, part)) for part in parts if len(part) > 1))
