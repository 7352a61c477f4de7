"""Near copies among the cases of a data set, under an encoder."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.case import Case
from doubleread.core.ports import Encoder, ImageSource
from doubleread.core.types import Embeddings
from doubleread.rag.embedder import DECODE_SIDE
from doubleread.rag.mild_changes import MILD_CHANGES
from doubleread.rag.near_duplicates import NearDuplicates, find_near_duplicates
from doubleread.rag.near_rule import NearRule, nearest_others
from doubleread.rag.perceptual_hash import perceptual_hash

_SAMPLE = 100
_WORKERS = 4


@dataclass(frozen=True)
class Pictures:
    """What is known of the pictures of cases, a row each."""

    cases: tuple[Case, ...]
    embeddings: Embeddings
    """Unit-length rows, shape ``(n, dim)``."""
    hashes: NDArray[np.uint64]
    """Perceptual hashes, shape ``(n,)``."""


def hash_pictures(
    cases: Sequence[Case], images: ImageSource, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> NDArray[np.uint64]:
    """The perceptual hash of each case's picture, shape ``(n,)``; raises ``ImageError`` for one that cannot be read."""

    def one(case: Case) -> int:
        return perceptual_hash(images.open(case, max_side=DECODE_SIDE))

    found = np.zeros(len(cases), np.uint64)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="doubleread-hash") as pool:
        for i, value in enumerate(pool.map(one, cases)):
            found[i] = value
            progress(i + 1, len(cases))
    return found


def measure_rule(
    pictures: Pictures,
    encoder: Encoder,
    images: ImageSource,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> NearRule:
    """The rule for near copies, from mild changes of a hundred of the pictures, evenly spread over their ids."""
    order = np.argsort([case.id for case in pictures.cases])
    chosen = order[np.linspace(0, len(order) - 1, min(_SAMPLE, len(order))).round().astype(int)]
    own: list[Embeddings] = []
    for done, i in enumerate(chosen, start=1):
        image = images.open(pictures.cases[i], max_side=DECODE_SIDE)
        changed = encoder.encode([change(image) for change in MILD_CHANGES.values()])
        own.append(changed @ pictures.embeddings[i])
        progress(done, len(chosen))
    others = nearest_others(pictures.embeddings[chosen], pictures.hashes[chosen], pictures.embeddings, pictures.hashes)
    return NearRule.measured(np.concatenate(own).astype(float), others)


def near_copies(pictures: Pictures, rule: NearRule) -> NearDuplicates:
    """The near copies among the pictures; positions are those of ``pictures.cases``."""
    return find_near_duplicates(pictures.embeddings, pictures.hashes, rule)
