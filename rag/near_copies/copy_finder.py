"""Finds near copies: among many pictures, of a case in an archive, and of new cases among an archive's.

Candidates come from what is cheap to compare: pictures of 8 × 8 pixels in all poses where all are at hand, hashes and
embeddings where they are stored. Their pixels then decide (``_alignment``).
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.case import Case
from doubleread.core.ports import ImageSource
from doubleread.core.stored import Columns, StoredCase
from doubleread.core.types import Embeddings, Vector
from doubleread.rag.images.picture_statistics import NAMES, picture_statistics
from doubleread.rag.near_copies._alignment import agreement, show_detail
from doubleread.rag.near_copies._picture_poses import lowered, nearest_in_any_pose
from doubleread.rag.near_copies.near_duplicates import (
    Hashes,
    NearDuplicates,
    NearPair,
    NearRule,
    distances,
    fewest_bits,
    near_duplicates,
    perceptual_hash,
)
from doubleread.rag.near_copies.thumbnails import OPENED_SIDE, Thumbnail, Thumbnails, stacked
from doubleread.rag.stores.archive import Archive

_WORKERS = 4
_LOW = 32
"""Side of the pictures among which candidates are sought."""
_AT_ONCE = 256
"""Pairs verified at a time."""
_COMPARED, _LEAST, _MOST = 100_000, 8, 32
"""Pairs that are verified among many pictures, and the least and most for each picture."""
_BITS = 12
"""Hashes that differ in at most so many bits make a candidate."""
_BY_HASH, _BY_EMBEDDING = 8, 3
"""Most candidates of a case in an archive."""
_NEARER, _OTHERS = 0.7, 20
"""By embedding only a case is a candidate that is at most this share as far as the 20th nearest."""
_HALF = 32
"""Bits of the hash of a picture that is not flat, about."""
_BLOCK = 512

Stored = Callable[[Sequence[str]], Sequence[StoredCase]]
Progress = Callable[[int, int], None]


def _silent(_done: int, _total: int) -> None:
    return None


@dataclass(frozen=True)
class PictureSet:
    """Cases with their embeddings, perceptual hashes and reduced pictures, in the same order."""

    cases: tuple[Case, ...]
    embeddings: Embeddings
    """Unit-length rows, shape ``(n, dim)``."""
    looks: "Looks"


class Looks(NamedTuple):
    """Hashes and statistics of many pictures, in the same order."""

    hashes: Hashes
    """Perceptual hashes, shape ``(n,)``."""
    statistics: Embeddings
    """As ``picture_statistics`` gives them, shape ``(n, 10)``."""
    low: NDArray[np.float16]
    """Reduced pictures, shape ``(n, 32, 32)``; empty if ``look_at`` got no thumbnails."""


def hash_picture(case: Case, images: ImageSource) -> int:
    """Returns the perceptual hash of a case's picture; raises ``ImageError``."""
    return perceptual_hash(images.open(case, max_side=OPENED_SIDE))


def look_at(
    cases: Sequence[Case], images: ImageSource, progress: Progress = _silent, thumbnails: Thumbnails | None = None
) -> Looks:
    """Opens each case's picture once and returns hashes and statistics; raises ``ImageError``.

    ``thumbnails`` receives the thumbnail of each picture.
    """

    def look(case: Case) -> tuple[int, Vector, Thumbnail | None]:
        image = images.open(case, max_side=OPENED_SIDE)
        kept = None if thumbnails is None else thumbnails.keep(case.id, image)
        return perceptual_hash(image), picture_statistics(image), kept

    hashes, statistics = np.zeros(len(cases), np.uint64), np.zeros((len(cases), len(NAMES)), np.float32)
    low = np.zeros((0 if thumbnails is None else len(cases), _LOW, _LOW), np.float16)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="doubleread-hash") as pool:
        for i, (hashed, row, kept) in enumerate(pool.map(look, cases)):
            hashes[i], statistics[i] = hashed, row
            if kept is not None:
                low[i] = lowered(kept.pixels.astype(np.float32), _LOW)
            progress(i + 1, len(cases))
    return Looks(hashes, statistics, low)


def find_near_duplicates(
    pictures: PictureSet, thumbnails: Thumbnails, rule: NearRule, progress: Progress = _silent
) -> NearDuplicates:
    """Finds the near copies among pictures, whose ``looks`` hold reduced pictures.

    Every picture is compared with those that it, flipped, turned or cropped, resembles most: up to 32 of them, at least
    8, about 100,000 in all. Memory is bounded; time grows with n², slowly.
    """
    n, cases, looks = len(pictures.cases), pictures.cases, pictures.looks
    first, second = _candidates(looks.low.astype(np.float32), [case.id for case in cases])
    found = _agreements(cases, first, second, thumbnails, progress)
    near = np.flatnonzero(found >= rule.agreement)
    bits = fewest_bits(looks.hashes[first[near]], looks.hashes[second[near]])
    cosines = np.einsum("ij,ij->i", pictures.embeddings[first[near]], pictures.embeddings[second[near]])
    rows = zip(first[near], second[near], cosines, bits, found[near], strict=True)
    pairs = (
        NearPair(first=int(i), second=int(j), similarity=float(s), distance=int(d), agreement=float(a))
        for i, j, s, d, a in rows
    )
    flat = np.flatnonzero(~show_detail(looks.low.astype(np.float32)))
    return near_duplicates(n, rule, pairs, tuple(flat.tolist()))


def _candidates(low: NDArray[np.float32], ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns pairs of rows to verify, each once, ``first < second``: those alike in some pose, and identical files."""
    n = len(low)
    most = min(_MOST, max(_LEAST, _COMPARED // max(n, 1)))
    pairs = [np.zeros(0, np.int64)]
    for one, other in nearest_in_any_pose(low, most) if n > 1 else ():
        pairs.append(np.minimum(one, other) * n + np.maximum(one, other))
    earliest: dict[str, int] = {}
    firsts = [(earliest.setdefault(one, i), i) for i, one in enumerate(ids)]
    same = [first * n + i for first, i in firsts if first != i]
    found = np.unique(np.concatenate([*pairs, np.array(same, np.int64)]))
    return found // max(n, 1), found % max(n, 1)


def _agreements(
    cases: Sequence[Case],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    thumbnails: Thumbnails,
    progress: Progress = _silent,
) -> Vector:
    """Returns the agreement of each pair of cases: 1 for identical files, NaN where a picture cannot be opened."""
    found = np.full(len(first), np.nan)
    for start in range(0, len(first), _AT_ONCE):
        pairs = range(start, min(len(first), start + _AT_ONCE))
        shown = {i: thumbnails.find(cases[i]) for i in {*first[pairs], *second[pairs]}}
        ends = [(k, shown[first[k]], shown[second[k]]) for k in pairs]
        both = [(k, one, other) for k, one, other in ends if one is not None and other is not None]
        if both:
            rows, ones, others = zip(*both, strict=True)
            found[list(rows)] = agreement(stacked(ones), stacked(others))
        progress(pairs.stop, len(first))
    found[[cases[i].id == cases[j].id for i, j in zip(first, second, strict=True)]] = 1.0
    return found


@dataclass(frozen=True)
class CopyFinder:
    """Finds stored cases whose picture is a near copy of a case's."""

    rule: NearRule
    images: ImageSource
    thumbnails: Thumbnails = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "thumbnails", Thumbnails(self.images))

    def copies(self, case: Case, similarities: Vector, columns: Columns, stored: Stored) -> NDArray[np.intp]:
        """Returns the rows of the copies, given the similarity of every row to the case, ``(n,)``.

        ``stored`` returns cases by id. Opens the case's picture, and those of a few candidates: a candidate whose
        picture can no longer be opened is judged by its hash and embedding alone. Raises ``ImageError``.
        """
        if not columns.hashed.any():
            return np.zeros(0, np.intp)
        self.thumbnails.of(case)
        own = np.full(1, hash_picture(case, self.images), np.uint64)
        rows = _likely(own, similarities, columns.hashes, columns.hashed)
        found = {one.case.id: one.case for one in stored(columns.ids[rows].tolist())}
        rows = rows[[one in found for one in columns.ids[rows].tolist()]]
        cases = [case, *(found[one] for one in columns.ids[rows].tolist())]
        agreed = _agreements(cases, np.zeros(len(rows), np.int64), np.arange(len(rows)) + 1, self.thumbnails)
        bits = distances(own, columns.hashes[rows])
        return rows[_near(self.rule, agreed, bits, similarities[rows], columns.hashes[rows])]


def near_arrivals(archive: Archive, arrived: Collection[str], thumbnails: Thumbnails) -> list[tuple[str, str]]:
    """Returns pairs of sources: a case with one of these ids, and another case in the archive that it nearly copies."""
    contents, rule = archive.contents(), NearRule()
    hashes, hashed = contents.columns.hashes, contents.columns.hashed
    new = np.array([i for i in np.flatnonzero(hashed).tolist() if contents.rows[i].id in arrived], np.intp)
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(new), _BLOCK):
        block = new[start : start + _BLOCK]
        for i, similarities in zip(block.tolist(), contents.embeddings[block] @ contents.embeddings.T, strict=True):
            similarities[i] = -np.inf
            likely = _likely(hashes[i : i + 1], similarities, hashes, hashed).tolist()
            pairs |= {(i, j) for j in likely if j != i and (j, i) not in pairs}
    first, second = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    needed = sorted({*first.tolist(), *second.tolist()})
    cases = {one.case.id: one.case for one in archive.get([contents.rows[i].id for i in needed])}
    at = {i: k for k, i in enumerate(needed)}
    one, other = (np.array([at[i] for i in side.tolist()], np.int64) for side in (first, second))
    agreed = _agreements([cases[contents.rows[i].id] for i in needed], one, other, thumbnails)
    cosines = np.einsum("ij,ij->i", contents.embeddings[first], contents.embeddings[second])
    near = _near(rule, agreed, distances(hashes[first], hashes[second]), cosines, hashes[second])
    found = zip(first[near].tolist(), second[near].tolist(), strict=True)
    return sorted((contents.rows[i].source, contents.rows[j].source) for i, j in found)


def _likely(own: Hashes, similarities: Vector, hashes: Hashes, hashed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Returns the rows to compare with a picture: those with the nearest hash in some pose, and by far the nearest."""
    bits = np.where(hashed, fewest_bits(own, hashes), 255)
    by_hash = np.argsort(bits, kind="stable")[:_BY_HASH]
    order = np.flatnonzero(hashed)[np.argsort(-similarities[hashed])[:_OTHERS]]
    apart = 1 - similarities[order]
    by_embedding = order[apart <= _NEARER * apart[-1]][:_BY_EMBEDDING]
    return np.unique(np.concatenate([by_hash[bits[by_hash] <= _BITS], by_embedding]))


def _near(
    rule: NearRule, agreed: Vector, bits: NDArray[np.uint8], cosines: Vector, hashes: Hashes
) -> NDArray[np.bool_]:
    """Whether each pair is a near copy: by its agreement or, where a picture cannot be opened, by the stricter rule."""
    telling = np.abs(np.bitwise_count(hashes).astype(int) - _HALF) <= _HALF // 2  # half the bits, unless it is flat
    unseen = telling & (bits <= rule.unseen_bits) & (cosines >= rule.unseen_cosine)
    return np.where(np.isnan(agreed), unseen, np.nan_to_num(agreed) >= rule.agreement)
