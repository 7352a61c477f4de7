"""Finds near copies: embeddings almost parallel *and* perceptual hashes a few bits apart.

Embeddings alone mistake look-alikes for copies; hashes alone mistake plain backgrounds. Exact copies have equal case
ids already. The hash is the DCT hash: grey, reduced to 32 × 32, the 8 × 8 lowest frequencies of its cosine transform,
one bit each for being above their median (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010, section 3.2). It hardly changes when a picture is re-encoded, resized, brightened or cropped a little.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.core.base import Record
from doubleread.core.types import Embeddings, Labels, Vector

_SIDE, _LOW = 32, 8
_WAVES = np.cos(np.pi / _SIDE * np.outer(np.arange(_LOW), np.arange(_SIDE) + 0.5))
"""The eight lowest cosine basis functions, one a row (DCT-II)."""
SAME_HASH, LIKE_HASH = 4, 12
"""Bits of 64: re-encoding, resizing and lighting change at most 2, a crop of 3 % changes 6 (median) to 18."""
_LOST, _TAIL = 0.01, 0.99
_WITHOUT_OTHERS = 0.95
Near = NDArray[np.bool_]
_BLOCK = 2048
_AT_ONCE = 20_000
"""Pairs whose embeddings are compared at a time."""
_MOST_PAIRS = 1_000_000


def perceptual_hash(image: Image.Image) -> int:
    """Returns the hash of an image of any size."""
    pixels = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), float)
    low = np.round(_WAVES @ pixels @ _WAVES.T, 6).ravel()  # rounded: the sign of zero must not be random
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def in_hex(value: int) -> str:
    """Returns a hash as sixteen hexadecimal digits, the stored form."""
    return f"{value:016x}"


def distances(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Returns the Hamming distance of hashes (0 to 64), broadcast."""
    differing: NDArray[np.uint8] = np.bitwise_count(first ^ second)
    return differing


class NearRule(Record):
    """The rule for near copies: a very similar hash, or a similar hash and an even more similar embedding.

    Re-encoding and resizing hardly change the hash but may change the embedding; a crop does the opposite. So copies
    differ in at most ``SAME_HASH`` bits with a cosine of at least ``same_hash``, or in at most ``LIKE_HASH`` bits with
    a cosine of at least ``like_hash``.
    """

    same_hash: float
    like_hash: float

    @classmethod
    def measured(cls, own: Vector, others: Vector) -> Self:
        """Measures the rule from cosines of pictures with their mild changes and with other pictures, each ``(n,)``.

        ``same_hash`` excludes 1 % of ``own``; ``like_hash`` exceeds 99 % of ``others`` (``nearest_others``), or is 0.95
        if there are none. Raises ``ValueError`` for an empty ``own``.
        """
        if not len(own):
            raise ValueError("a rule for near copies is measured on at least one picture and its changes")
        same = float(np.quantile(own, _LOST))
        like = float(np.quantile(others, _TAIL)) if len(others) else _WITHOUT_OTHERS
        return cls(same_hash=min(same, like), like_hash=like)

    def near(self, similarities: NDArray[np.float32], apart: NDArray[np.uint8]) -> Near:
        """Whether each pair, given by cosine and number of differing bits, is a near copy."""
        found: Near = ((apart <= SAME_HASH) & (similarities >= self.same_hash)) | (
            (apart <= LIKE_HASH) & (similarities >= self.like_hash)
        )
        return found


def nearest_others(
    embeddings: Embeddings, hashes: NDArray[np.uint64], archive: Embeddings, archive_hashes: NDArray[np.uint64]
) -> Vector:
    """Returns the cosine of each row with the nearest archive row whose hash shows a different picture.

    Rows have unit length; rows without such an archive row are left out.
    """
    similarities = embeddings @ archive.T
    similarities[distances(hashes[:, None], archive_hashes[None]) <= LIKE_HASH] = -np.inf
    best: Vector = similarities.max(axis=1, initial=-np.inf).astype(float)
    return best[np.isfinite(best)]


class NearPair(Record):
    """A pair of near copies, as row numbers ``first < second``."""

    first: int
    second: int
    similarity: float
    """Cosine of the embeddings."""
    distance: int
    """Number of differing bits of the perceptual hashes, of 64."""


class NearDuplicates(Record):
    """All near copies among ``n`` rows."""

    n: int
    rule: NearRule
    pairs: tuple[NearPair, ...] = ()
    """The first million of ``n_pairs``; ``clusters`` are complete in any case."""
    n_pairs: int = 0
    clusters: tuple[tuple[int, ...], ...] = ()
    """Connected components of at least two rows."""


def find_near_duplicates(embeddings: Embeddings, hashes: NDArray[np.uint64], rule: NearRule) -> NearDuplicates:
    """Finds all pairs of near copies among rows, and their connected components.

    ``embeddings``: unit-length rows ``(n, dim)``; ``hashes``: ``(n,)``. All pairs are compared in blocks: memory is
    bounded, time grows with n².
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
    order = np.argsort(belongs, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(belongs[order])) + 1)
    clusters = sorted(tuple(map(int, part)) for part in parts if len(part) > 1)
    return NearDuplicates(n=len(rows), rule=rule, pairs=tuple(pairs), n_pairs=n_pairs, clusters=tuple(clusters))


def near_copies_between(
    embeddings: Embeddings,
    hashes: NDArray[np.uint64],
    others: Embeddings,
    other_hashes: NDArray[np.uint64],
    rule: NearRule,
) -> Iterator[tuple[int, int]]:
    """Yields index pairs of near copies between two sets of rows, in no particular order.

    Rows have unit length, ``(n, dim)`` and ``(m, dim)``; hashes are ``(n,)`` and ``(m,)``.
    """
    for top in range(0, len(embeddings), _BLOCK):
        for left in range(0, len(others), _BLOCK):
            one, other = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            found = _near(embeddings[one], hashes[one], others[other], other_hashes[other], rule)
            yield from zip((top + found.first).tolist(), (left + found.second).tolist(), strict=True)


class _Pairs(NamedTuple):
    first: Labels
    second: Labels
    similarity: Embeddings
    distance: NDArray[np.uint8]


def _blocks(rows: Embeddings, codes: NDArray[np.uint64], rule: NearRule) -> Iterator[_Pairs]:
    """Yields near pairs by block of the upper triangle."""
    for top in range(0, len(rows), _BLOCK):
        for left in range(top, len(rows), _BLOCK):
            one, other = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            found = _near(rows[one], codes[one], rows[other], codes[other], rule)
            first, second = top + found.first, left + found.second
            upper = first < second
            if upper.any():
                yield _Pairs(first[upper], second[upper], found.similarity[upper], found.distance[upper])


def _near(
    rows: Embeddings, codes: NDArray[np.uint64], others: Embeddings, other_codes: NDArray[np.uint64], rule: NearRule
) -> _Pairs:
    """Compares hashes first, which is a hundred times faster than embeddings and leaves few pairs."""
    apart = distances(codes[:, None], other_codes[None])
    first, second = np.nonzero(apart <= LIKE_HASH)
    similarity = np.zeros(len(first), np.float32)
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        similarity[part] = np.einsum("ij,ij->i", rows[first[part]], others[second[part]])
    near = rule.near(similarity, apart[first, second])
    return _Pairs(first[near], second[near], similarity[near], apart[first, second][near])


def _joined(belongs: Labels, first: Labels, second: Labels) -> Labels:
    """Returns the connected component of every row after these pairs are joined."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - heavy, and needed only if there are near copies
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    n = len(belongs)
    edges = coo_array((np.ones(len(first), np.int8), (belongs[first], belongs[second])), shape=(n, n))
    found: Labels = connected_components(edges, directed=False)[1].astype(np.int64)[belongs]
    return found
