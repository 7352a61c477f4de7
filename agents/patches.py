"""Patch agent: sees what is small. It compares every patch of an image with a memory of each label's patches.

A pooled embedding is a mean over the image, in which a defect of 1 % of the area is lost. ``patch_memory.py`` gives,
for each patch, its distance ``d_k`` to each label ``k`` (PatchCore, Roth et al. 2022, arXiv 2106.08265). Scores of an
image, for each label, are what softmax regression turns into probabilities:

    largest d_k, re-weighted as in PatchCore (eq. 7)  ·  mean of the largest 5 % of d_k  ·  mean of d_k
    the largest, and the same two means, of the excess  d_k - min_j d_j

A case that is learned from is compared without the memory's patches of its own group, and standardised without itself,
so that its scores resemble those of a new case. ``anomaly_map.py`` describes the maps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from doubleread.agents._embedding_agent import FittedAgent
from doubleread.agents._folds import as_blocks
from doubleread.agents._softmax_head import SoftmaxHead, fit_softmax_head
from doubleread.agents.anomaly_map import AnomalyMap, evidence, limits_of
from doubleread.agents.patch_memory import PatchLook, PatchMemory, Reals, fill
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
    limits: Vector
    """From where on a patch is reported, for each label's map, shape ``(n_labels,)``."""

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
        scores, peaks = list[Vector](), list[Vector]()
        for i, one in enumerate(patches):
            look = filled.held_out(one, int(labels[i]), int(blocks[i]))
            scores.append(scores_of(look))
            peaks.append(evidence(look.distances).max(axis=(1, 2)))
        regression = fit_softmax_head(np.stack(scores), labels, n_labels, groups)
        self._head = PatchHead(filled.memory, regression, limits_of(np.stack(peaks), labels))
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

    async def anomaly_map(self, case: Case, label: str) -> AnomalyMap:
        """Returns where the image is unlike the other labels' images; raises ``ImageError`` and ``TaskError``."""
        index, head = self._task.index(label), self._fitted()
        (patches,) = await self.features(case, (WHOLE,))
        values = evidence(head.memory.look(patches).distances)[index]
        return AnomalyMap(label, values, float(head.limits[index]))

    def state(self) -> tuple[Json, dict[str, Matrix]]:
        head = self._fitted()
        memory, found = head.memory, head.regression
        arrays = {name: getattr(found, name) for name in _ARRAYS}
        arrays |= {f"patch_{name}": getattr(memory, name) for name in ("centre", "width", "kept", "labels")}
        arrays["limits"] = head.limits
        return {"strength": found.strength, "temperature": found.temperature}, arrays

    def restore(self, settings: Json, arrays: dict[str, Matrix]) -> Self:
        centre, width, kept = (np.asarray(arrays[f"patch_{name}"], np.float32) for name in ("centre", "width", "kept"))
        labels = np.asarray(arrays["patch_labels"], np.int64)
        regression = SoftmaxHead(
            **{name: arrays[name] for name in _ARRAYS},
            strength=float(settings["strength"]),
            temperature=float(settings["temperature"]),
        )
        memory = PatchMemory(centre, width, kept, labels, len(self._task.names))
        self._head = PatchHead(memory, regression, np.asarray(arrays["limits"], float))
        return self


def scores_of(look: PatchLook) -> Vector:
    """Scores ``(6 · n_labels,)`` of an image."""
    flat = look.distances.reshape(len(look.distances), -1).astype(float)
    excess = flat - flat.min(axis=0)
    return np.concatenate(
        [look.largest, mean_of_largest(flat), flat.mean(axis=1), mean_of_largest(excess), excess.mean(axis=1)]
    )


def mean_of_largest(values: Matrix) -> Vector:
    """Mean of the largest values of each row."""
    top = max(1, round(TOP_SHARE * values.shape[1]))
    return np.asarray(np.sort(values, axis=1)[:, -top:].mean(axis=1))
