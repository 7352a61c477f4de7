"""Measures the rule for near copies under an encoder, and finds near copies of a case and among new cases."""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.ports import Encoder, ImageSource
from doubleread.core.stored import Columns
from doubleread.core.types import Embeddings, Vector
from doubleread.rag.images.picture_statistics import NAMES, picture_statistics
from doubleread.rag.near_copies.near_duplicates import (
    NearRule,
    distances,
    near_copies_between,
    nearest_others,
    perceptual_hash,
)
from doubleread.rag.stores.archive import Archive

_SIDE = 512
"""Longer side of the opened image: many times the 32 pixels that a hash uses."""
_CHANGED, _COMPARED = 16, 500
"""Number of pictures that are mildly changed, and of those that are compared with others, to measure a rule."""
_WORKERS = 4
_SAMPLE = 1000


def _reencoded(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def _resized(image: Image.Image) -> Image.Image:
    width, height = (max(8, round(side * 0.7)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


MILD_CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = MappingProxyType(
    {
        "JPEG quality 60": _reencoded,
        "70 % size": _resized,
        "3 % crop": lambda image: image.crop(
            (round(image.width * 0.03), round(image.height * 0.03), image.width, image.height)
        ),
        "10 % more light": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    }
)
"""Typical changes between copies of a picture; each maps 8-bit RGB to 8-bit RGB."""


@dataclass(frozen=True)
class PictureSet:
    """Cases with their embeddings and perceptual hashes, in the same order."""

    cases: tuple[Case, ...]
    embeddings: Embeddings
    """Unit-length rows, shape ``(n, dim)``."""
    hashes: NDArray[np.uint64]
    """Perceptual hashes, shape ``(n,)``."""


class Looks(NamedTuple):
    """Hashes and statistics of many pictures, in the same order."""

    hashes: NDArray[np.uint64]
    """Perceptual hashes, shape ``(n,)``."""
    statistics: Embeddings
    """As ``picture_statistics`` gives them, shape ``(n, 10)``."""


@dataclass(frozen=True)
class CopyFinder:
    """Finds stored cases whose picture is a near copy of a case's."""

    rule: NearRule
    images: ImageSource

    def copies(self, case: Case, similarities: Vector, columns: Columns) -> NDArray[np.intp]:
        """Returns the rows of the copies, given the similarity of every row to the case, ``(n,)``.

        Opens the case's picture only if some embedding is near enough. Raises ``ImageError``.
        """
        rows = np.flatnonzero(columns.hashed & (similarities >= self.rule.same_hash))
        if not len(rows):
            return rows
        own = np.full(1, hash_picture(case, self.images), np.uint64)
        return rows[self.rule.near(similarities[rows].astype(np.float32), distances(own, columns.hashes[rows]))]


def hash_picture(case: Case, images: ImageSource) -> int:
    """Returns the perceptual hash of a case's picture; raises ``ImageError``."""
    return perceptual_hash(images.open(case, max_side=_SIDE))


def look_at(
    cases: Sequence[Case], images: ImageSource, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Looks:
    """Opens each case's picture once and returns hashes and statistics; raises ``ImageError``."""

    def look(case: Case) -> tuple[int, Vector]:
        image = images.open(case, max_side=_SIDE)
        return perceptual_hash(image), picture_statistics(image)

    hashes, statistics = np.zeros(len(cases), np.uint64), np.zeros((len(cases), len(NAMES)), np.float32)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="doubleread-hash") as pool:
        for i, (hashed, row) in enumerate(pool.map(look, cases)):
            hashes[i], statistics[i] = hashed, row
            progress(i + 1, len(cases))
    return Looks(hashes, statistics)


def measure_rule(
    pictures: PictureSet,
    encoder: Encoder,
    images: ImageSource,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> NearRule:
    """Measures the rule for near copies on mild changes of 16 pictures and on the neighbours of 500 pictures.

    Both are spread evenly over the case ids. Raises ``ImageError``, and ``ValueError`` if there is no picture.
    """
    order = np.argsort([case.id for case in pictures.cases])
    own: list[Embeddings] = []
    changed = _spread(order, _CHANGED)
    for done, i in enumerate(changed, start=1):
        image = images.open(pictures.cases[i], max_side=_SIDE)
        seen = encoder.encode([change(image) for change in MILD_CHANGES.values()])
        own.append(seen @ pictures.embeddings[i])
        progress(done, len(changed))
    some = _spread(order, _COMPARED)
    others = nearest_others(pictures.embeddings[some], pictures.hashes[some], pictures.embeddings, pictures.hashes)
    return NearRule.measured(np.concatenate(own or [np.zeros(0, np.float32)]).astype(float), others)


def _spread(order: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Returns at most ``most`` of these positions, evenly spread."""
    picked: NDArray[np.intp] = order[np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)]
    return picked


class _Kept(Record):
    """A rule, and the number of cases when it was measured."""

    n: int
    rule: NearRule


def near_rule_of(archive: Archive, encoder: Encoder, images: ImageSource) -> NearRule | None:
    """Returns the archive's rule for near copies: measured once, and again when the archive has doubled in size.

    None for an archive without pictures. Raises ``ImageError`` if a picture can no longer be read.
    """
    key, contents = f"near copies by {archive.fingerprint}", archive.contents()
    told = archive.file.about(key)
    kept = _kept(told)
    if kept is not None and len(contents) < 2 * kept.n:
        return kept.rule
    hashed = np.flatnonzero(contents.columns.hashed)
    if not len(hashed):
        return None
    rows = _spread(hashed, _SAMPLE)
    cases = tuple(one.case for one in archive.get([contents.rows[i].id for i in rows.tolist()]))
    pictures = PictureSet(cases, contents.embeddings[rows], contents.columns.hashes[rows])
    rule = measure_rule(pictures, encoder, images)
    archive.file.tell(key, _Kept(n=len(contents), rule=rule).model_dump_json())
    return rule


def _kept(told: str | None) -> _Kept | None:
    """Parses the rule measured before; None if there is none or it cannot be read."""
    try:
        return None if told is None else _Kept.model_validate_json(told)
    except ValueError:
        return None


def near_arrivals(archive: Archive, arrived: Collection[str], rule: NearRule) -> list[tuple[str, str]]:
    """Returns pairs of sources: a case with one of these ids, and another case in the archive that it nearly copies."""
    contents = archive.contents()
    hashed = np.flatnonzero(contents.columns.hashed)
    new = np.array([i for i in hashed.tolist() if contents.rows[i].id in arrived], np.intp)
    rows, hashes = contents.embeddings, contents.columns.hashes
    pairs = near_copies_between(rows[new], hashes[new], rows[hashed], hashes[hashed], rule)
    found = {(int(new[i]), int(hashed[j])) for i, j in pairs}
    once = {(i, j) for i, j in found if i != j and not (i < j and (j, i) in found)}
    return sorted((contents.rows[i].source, contents.rows[j].source) for i, j in once)
