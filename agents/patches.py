"""Patch agent: sees what is small. It compares every patch of an image with a memory of each label's patches.

A pooled embedding is a mean over the image, in which a defect of 1 % of the area is lost. ``_patch_memory.py`` gives,
for each patch, its distance ``d_k`` to each label ``k`` (PatchCore, Roth et al. 2022, arXiv 2106.08265). Scores of an
image, for each label, are what softmax regression turns into probabilities:

    largest d_k, re-weighted as in PatchCore (eq. 7)  ·  mean of the largest 5 % of d_k  ·  mean of d_k
    the same two means of the excess  d_k - min_j d_j

The scores of a case that is learned from ignore the memory's patches of its own group, so that they resemble those of
a new case.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from doubleread.agents._embedding_agent import FittedAgent
from doubleread.agents._folds import Indices, as_blocks
from doubleread.agents._patch_memory import FilledMemory, PatchLook, PatchMemory, Reals, fill
from doubleread.agents._softmax_head import SoftmaxHead, fit_softmax_head
from doubleread.core.agent_ports import PATCHES, WHOLE
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.types import Embeddings, Json, Labels, Matrix, Patches, Vector

TOP_SHARE = 0.05
_ARRAYS = ("weights", "bias", "centre", "width", "shares")


@dataclass(frozen=True)
class PatchHead:
    """A memory, and the regression on the scores that it gives."""

    memory: PatchMemory
    regression: SoftmaxHead

    def log_posteriors(self, patches: NDArray[np.float32]) -> Matrix:
        """Log-probabilities ``(n, n_labels)`` of patches ``(n, rows, columns, channels)``."""
        scores = np.stack([scores_of(self.memory.look(one)) for one in patches])
        return np.asarray(log_softmax(self.regression.log_scores(scores), axis=1))


class PatchReader(FittedAgent[PatchHead]):
    """Regression on distances to a memory of patches. Its opinions assume the label shares of the support.

    Where ``context.patches`` is None, an embedding is the only patch of its image.
    """

    name = PATCHES
    prior = "support"

    def fit(self, embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None = None) -> Self:
        """Fits on embeddings ``(n, dim)``, each as the only patch of its image."""
        return self.fit_patches(np.asarray(embeddings, np.float32)[:, None, None], labels, groups)

    def fit_patches(
        self, patches: Iterable[Patches | Reals], labels: Labels, groups: Sequence[str] | None = None
    ) -> Self:
        """Fits on the patches ``(rows, columns, channels)`` of each case; they are gone through twice."""
        blocks, n_labels = as_blocks(groups, len(labels)), len(self._task.names)
        filled = fill(patches, labels, blocks, n_labels)
        scores = np.stack([_held_out(filled, one, blocks[i]) for i, one in enumerate(patches)])
        self._head = PatchHead(filled.memory, fit_softmax_head(scores, labels, n_labels, groups))
        return self

    async def features(self, case: Case, views: Sequence[str]) -> Embeddings:
        """Patches ``(len(views), rows, columns, channels)``."""
        if self._context.patches is None:
            return (await super().features(case, views))[:, None, None]
        return (await self._context.patches.patches(case, views)).astype(np.float32)

    def log_posteriors(self, embeddings: Embeddings) -> Matrix:
        return self._fitted().log_posteriors(embeddings)

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """Log-posteriors of the unchanged head: the retrieved cases' patches are not stored."""
        del evidence
        return self.log_posteriors(embeddings)

    async def distances(self, case: Case) -> Reals:
        """Distance of each patch to each label's memory, ``(n_labels, rows, columns)``; raises ``ImageError``."""
        return self._fitted().memory.look((await self.features(case, (WHOLE,)))[0]).distances

    def state(self) -> tuple[Json, dict[str, Matrix]]:
        head = self._fitted()
        memory, found = head.memory, head.regression
        arrays = {name: getattr(found, name) for name in _ARRAYS}
        arrays |= {f"patch_{name}": getattr(memory, name) for name in ("centre", "width", "kept", "labels")}
        return {"strength": found.strength, "temperature": found.temperature}, arrays

    def restore(self, settings: Json, arrays: dict[str, Matrix]) -> Self:
        centre, width, kept = (np.asarray(arrays[f"patch_{name}"], np.float32) for name in ("centre", "width", "kept"))
        labels = np.asarray(arrays["patch_labels"], np.int64)
        regression = SoftmaxHead(
            **{name: arrays[name] for name in _ARRAYS},
            strength=float(settings["strength"]),
            temperature=float(settings["temperature"]),
        )
        self._head = PatchHead(PatchMemory(centre, width, kept, labels, len(self._task.names)), regression)
        return self


def scores_of(look: PatchLook) -> Vector:
    """Scores ``(5 · n_labels,)`` of an image."""
    flat = look.distances.reshape(len(look.distances), -1).astype(float)
    excess = flat - flat.min(axis=0)
    return np.concatenate([look.largest, _top(flat), flat.mean(axis=1), _top(excess), excess.mean(axis=1)])


def _top(values: Matrix) -> Vector:
    """Mean of the largest values of each row."""
    top = max(1, round(TOP_SHARE * values.shape[1]))
    return np.asarray(np.sort(values, axis=1)[:, -top:].mean(axis=1))


def _held_out(filled: FilledMemory, patches: Patches | Reals, block: Indices) -> Vector:
    return scores_of(filled.memory.look(patches, without=filled.blocks == block))
