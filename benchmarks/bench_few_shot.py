"""What the ``discriminant`` agent is worth with few labelled cases, on real CLIP vectors of 512 apple leaves.

Each draw takes so many cases of every label at random and reads all others. Accuracy at 4 and 8 cases is compared with
the estimator of Wang et al. 2024, "A Hard-to-Beat Baseline for Training-free CLIP-based Adaptation" (arXiv
2402.04087), which is written down here and used nowhere else.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from benchmarks.data import paper_folder
from benchmarks.figure import Figure, Skipped
from doubleread.agents.gaussian_head import fit_head
from doubleread.core.types import Labels, Matrix

Indices: TypeAlias = NDArray[np.intp]
VECTORS = "clip_vit_b32_train.npz"
DRAWS = 40
COMPARED = (4, 8)
NLL_BEFORE = {1: 72.5, 2: 33.0, 3: 24.1, 4: 0.656, 8: 0.422, 16: 0.212}
"""Log-loss of the head that this one replaced, on the same draws; its confidence was not fitted."""


class Worth(NamedTuple):
    """Of one draw: accuracy, log-loss, and mean confidence less accuracy."""

    accuracy: float
    nll: float
    gap: float


def few_shot() -> Iterator[Figure]:
    """Accuracy, log-loss and honesty of the raw opinions with 1 to 16 cases a label."""
    x, labels = clip_vectors()
    for shots, before in NLL_BEFORE.items():
        found, ahead = [], []
        for support in draws(labels, shots):
            rest = np.setdiff1d(np.arange(len(labels)), support)
            scores = fit_head(x[support], labels[support], int(labels.max()) + 1).head.log_scores(x[rest])
            found.append(worth(scores, labels[rest]))
            if shots in COMPARED:
                rival = worth(wang_scores(x[support], labels[support], x[rest]), labels[rest])
                ahead.append(found[-1].accuracy - rival.accuracy)
        name, n = f"few_shot.{shots}", len(labels) - shots * (int(labels.max()) + 1)
        yield _over(f"{name}.accuracy", [one.accuracy for one in found], n)
        yield _over(f"{name}.nll", [one.nll for one in found], n, f"<= {before}")
        yield _over(f"{name}.off_by", [one.gap for one in found], n, "<= 0.05", size=True)
        if ahead:
            yield _over(f"{name}.accuracy_above_wang_2024", ahead, n, ">= 0")


def clip_vectors() -> tuple[Matrix, Labels]:
    """Unit vectors ``(512, 512)`` and label indices ``(512,)``; raises ``Skipped`` where the file is absent."""
    file = paper_folder() / VECTORS
    if not file.is_file():
        raise Skipped(f"there is no {VECTORS} in {file.parent}")
    with np.load(file, allow_pickle=False) as data:
        labels = np.unique(data["labels"], return_inverse=True)[1]
        return np.asarray(data["embeddings"], dtype=float), labels


def draws(labels: Labels, shots: int, count: int = DRAWS) -> Iterator[Indices]:
    """Row numbers of ``shots`` cases of every label, drawn at random."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        yield np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:shots] for k in np.unique(labels)])


def worth(scores: Matrix, labels: Labels) -> Worth:
    """What log-scores ``(n, n_labels)`` are worth."""
    logs = log_softmax(scores, axis=1)
    accuracy = float((logs.argmax(axis=1) == labels).mean())
    nll = -float(logs[np.arange(len(labels)), labels].mean())
    return Worth(accuracy, nll, float(np.exp(logs.max(axis=1)).mean()) - accuracy)


def wang_scores(x: Matrix, labels: Labels, unseen: Matrix) -> Matrix:
    """Scores of Wang et al. 2024 for ``unseen`` ``(m, dim)``, shape ``(m, n_labels)``; labels are equally likely.

    ``Σ̂⁻¹ = dim · ((n - 1) Σ̂ + tr(Σ̂) I)⁻¹``, ``w_k = Σ̂⁻¹ μ_k``, ``b_k = -½ μ_kᵀ Σ̂⁻¹ μ_k``.
    """
    means = np.stack([x[labels == k].mean(axis=0) for k in np.unique(labels)])
    (n, dim), covariance = x.shape, np.cov((x - means[labels]).T)
    precision = dim * np.linalg.inv((n - 1) * covariance + np.trace(covariance) * np.eye(dim))
    weights = means @ precision
    return np.asarray(unseen @ weights.T - (weights * means).sum(axis=1) / 2)


def _over(name: str, values: list[float], n: int, target: str = "", *, size: bool = False) -> Figure:
    """The mean over draws with its 95 % interval; with ``size`` its absolute value is the figure."""
    mean, error = float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    note = f"mean of {len(values)} draws, normal 95 % interval over draws"
    low, high = mean - error, mean + error
    note = f"{note}; confidence less accuracy {mean:+.3f} ({low:+.3f} to {high:+.3f})" if size else note
    ends = {} if size else {"low": low, "high": high}
    return Figure(name=name, value=abs(mean) if size else mean, n=n, target=target, note=note, **ends)
