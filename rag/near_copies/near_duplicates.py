"""Near copies: their hashes, pairs and clusters.

The hash is the DCT hash: grey, reduced to 32 × 32, the 8 × 8 lowest frequencies of its cosine transform, one bit each
for being above their median (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010,
section 3.2). It hardly changes when a picture is re-encoded, resized or brightened; a flip or quarter turn permutes and
inverts its bits. The hash of a flat picture is noise: hashes only propose near copies, the pixels decide.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import ConfigDict

from doubleread.core.base import Record
from doubleread.core.types import Labels

_SIDE, _LOW = 32, 8
_WAVES = np.cos(np.pi / _SIDE * np.outer(np.arange(_LOW), np.arange(_SIDE) + 0.5))
"""The eight lowest cosine basis functions, one a row (DCT-II)."""
_MOST_PAIRS = 1_000_000
Hashes = NDArray[np.uint64]


def perceptual_hash(image: Image.Image) -> int:
    """Returns the hash of an image of any size."""
    pixels = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), float)
    low = np.round(_WAVES @ pixels @ _WAVES.T, 6).ravel()  # rounded: the sign of zero must not be random
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def in_hex(value: int) -> str:
    """Returns a hash as sixteen hexadecimal digits, the stored form."""
    return f"{value:016x}"


def distances(first: Hashes, second: Hashes) -> NDArray[np.uint8]:
    """Returns the Hamming distance of hashes (0 to 64), broadcast."""
    differing: NDArray[np.uint8] = np.bitwise_count(first ^ second)
    return differing


def turned_hashes(hashes: Hashes) -> Hashes:
    """Returns the hashes of the eight flips and quarter turns of pictures, ``(8, n)``, from their hashes alone.

    A flip negates every second frequency, a transposition swaps the axes; as the median is nearly 0, bits are inverted.
    """
    bits = np.unpackbits(np.ascontiguousarray(hashes, ">u8").view(np.uint8)).reshape(-1, _LOW, _LOW).astype(bool)
    odd = np.arange(_LOW) % 2 == 1
    found = [
        one ^ (odd[:, None] & down) ^ (odd[None, :] & along)
        for one in (bits, bits.swapaxes(1, 2))
        for down in (False, True)
        for along in (False, True)
    ]
    packed = np.packbits(np.stack(found).reshape(8, -1, _LOW * _LOW), axis=-1)
    return np.ascontiguousarray(packed).view(">u8")[..., 0].astype(np.uint64)


def fewest_bits(first: Hashes, second: Hashes) -> NDArray[np.uint8]:
    """Returns the Hamming distance of hashes in the flip or quarter turn in which it is least, broadcast."""
    turned = turned_hashes(first.ravel()).reshape(8, *first.shape)
    fewest: NDArray[np.uint8] = np.stack([distances(one, second) for one in turned]).min(0)
    return fewest


class NearRule(Record):
    """The rule for near copies. The defaults were fixed on leaves, solar cells, drawings and textures."""

    model_config = ConfigDict(extra="ignore")  # panels saved before the pixels decided hold two cosines
    agreement: float = 0.45
    """Least agreement of the details of two pictures after one is laid over the other; see ``_alignment``."""
    unseen_bits: int = 4
    """Where a picture can no longer be opened: most bits, of 64, in which the hashes may differ …"""
    unseen_cosine: float = 0.95
    """… and least cosine of the embeddings."""


class NearPair(Record):
    """A pair of near copies, as row numbers ``first < second``."""

    first: int
    second: int
    similarity: float
    """Cosine of the embeddings."""
    distance: int
    """Bits of the perceptual hashes that differ, of 64, in the flip or quarter turn in which they are fewest."""
    agreement: float
    """Agreement of the details, at most 1; see ``_alignment``."""


class NearDuplicates(Record):
    """All near copies among ``n`` rows."""

    n: int
    rule: NearRule
    pairs: tuple[NearPair, ...] = ()
    """The first million of ``n_pairs``; ``clusters`` are complete in any case."""
    n_pairs: int = 0
    clusters: tuple[tuple[int, ...], ...] = ()
    """Connected components of at least two rows."""
    flat: tuple[int, ...] = ()
    """Rows of pictures with hardly any detail: near copies of these cannot be told."""


def near_duplicates(n: int, rule: NearRule, pairs: Iterable[NearPair], flat: tuple[int, ...] = ()) -> NearDuplicates:
    """Returns pairs of near copies among ``n`` rows, with the clusters that they form."""
    found = tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second)))
    clusters = _clusters(n, found) if found else ()
    return NearDuplicates(n=n, rule=rule, pairs=found[:_MOST_PAIRS], n_pairs=len(found), clusters=clusters, flat=flat)


def _clusters(n: int, pairs: Sequence[NearPair]) -> tuple[tuple[int, ...], ...]:
    """Returns the connected components of at least two rows."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - heavy, and needed only if there are near copies
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    ends = [pair.first for pair in pairs], [pair.second for pair in pairs]
    edges = coo_array((np.ones(len(pairs), np.int8), ends), shape=(n, n))
    belongs: Labels = connected_components(edges, directed=False)[1].astype(np.int64)
    order = np.argsort(belongs, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(belongs[order])) + 1)
    return tuple(sorted(tuple(map(int, part)) for part in parts if len(part) > 1))
