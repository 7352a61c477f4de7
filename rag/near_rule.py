"""When two pictures are near copies under an encoder: a rule measured on the encoder and the pictures themselves."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.types import Embeddings, Vector
from doubleread.rag.perceptual_hash import distances

SAME_HASH, LIKE_HASH = 4, 12
"""Bits of 64: re-encoding, resizing and light move a hash by at most 2, a crop of 3 % by 6 (median) to 18."""
_LOST, _TAIL = 0.01, 0.99
_WITHOUT_OTHERS = 0.95

Near = NDArray[np.bool_]


class NearRule(Record):
    """Near copies have nearly one hash and embeddings as close as copies get, or like hashes and closer embeddings.

    Re-encoding and resizing hardly move the hash but may move an embedding; a crop moves the hash and hardly the
    embedding. So: at most ``SAME_HASH`` bits and a cosine of at least ``same_hash``, or at most ``LIKE_HASH`` bits
    and a cosine of at least ``like_hash``.
    """

    same_hash: float
    like_hash: float

    @classmethod
    def measured(cls, own: Vector, others: Vector) -> Self:
        """From cosines of pictures with their own mild changes, and with their nearest different picture.

        ``same_hash`` loses 1 % of ``own``; ``like_hash`` is above 99 % of ``others`` (``nearest_others``), or 0.95
        where there are none. Both shapes ``(n,)``; raises ``ValueError`` for an empty ``own``.
        """
        if not len(own):
            raise ValueError("a rule for near copies is measured on at least one picture and its changes")
        same = float(np.quantile(own, _LOST))
        like = float(np.quantile(others, _TAIL)) if len(others) else _WITHOUT_OTHERS
        return cls(same_hash=min(same, like), like_hash=like)

    def near(self, similarities: NDArray[np.float32], apart: NDArray[np.uint8]) -> Near:
        """Which pairs, given by cosine and differing bits, are near copies."""
        found: Near = ((apart <= SAME_HASH) & (similarities >= self.same_hash)) | (
            (apart <= LIKE_HASH) & (similarities >= self.like_hash)
        )
        return found


def nearest_others(
    embeddings: Embeddings, hashes: NDArray[np.uint64], archive: Embeddings, archive_hashes: NDArray[np.uint64]
) -> Vector:
    """Cosine of each row with the nearest archive row whose hash is so far off that it is another picture.

    Rows are of unit length; the result leaves out rows that have no such other.
    """
    similarities = embeddings @ archive.T
    similarities[distances(hashes[:, None], archive_hashes[None]) <= LIKE_HASH] = -np.inf
    best: Vector = similarities.max(axis=1, initial=-np.inf).astype(float)
    return best[np.isfinite(best)]
