"""What the similar cases imply about the label: pure functions on arrays.

Similarities are cosines, ``-inf`` where a case must not be looked at. The scores follow cross-domain similarity local
scaling (CSLS; Conneau et al. 2018, section 2.3): a stored case that is near to everything says less.
"""

import numpy as np
from scipy.optimize import minimize_scalar

from doubleread.core.types import Labels, Matrix, Vector

_PRIOR_SHARE = 9.0  # the prior temperature gives the median case's leading label .9 against the second
_PRIOR_SPREAD = 1.0
_LEAST = 1e-4


def hubness(similarities: Matrix, local: int) -> Vector:
    """Mean similarity of each row to its ``local`` nearest cases, shape ``(n,)``; 0 for a row without any."""
    return mean_of_top(similarities, local, empty=0.0)


def mean_of_top(similarities: Matrix, top: int, *, empty: float = -np.inf) -> Vector:
    """Mean of each row's ``top`` largest finite values (of all, where there are fewer); ``empty`` without any."""
    width = min(top, similarities.shape[1])
    if width == 0:
        return np.full(len(similarities), empty)
    largest = np.partition(similarities, -width, axis=1)[:, -width:]
    finite = np.isfinite(largest)
    n = finite.sum(axis=1)
    total = np.where(finite, largest, 0.0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), empty)


def class_scores(similarities: Matrix, hubs: Vector, labels: Labels, n_labels: int, top: int) -> Matrix:
    """Class-balanced scores of shape ``(n, n_labels)``: the mean CSLS of the ``top`` best cases of each class.

    ``similarities`` is ``(n, cases)``, ``hubs`` and ``labels`` are ``(cases,)``. A class without any case scores
    ``-inf``.
    """
    scaled = 2 * similarities - hubs
    return np.stack([mean_of_top(scaled[:, labels == label], top) for label in range(n_labels)], axis=1)


def distribution(scores: Matrix, temperature: float) -> Matrix:
    """Softmax of class scores, rows summing to 1.

    A class without cases is as likely as the least likely one that has some: nothing speaks against it but silence.
    """
    filled = _filled(scores)
    weights = np.exp((filled - filled.max(axis=1, keepdims=True)) / temperature)
    shares: Matrix = weights / weights.sum(axis=1, keepdims=True)
    return shares


def vote(similarities: Vector, labels: Labels, n_labels: int, temperature: float) -> Vector:
    """Shares of the labels among the given neighbours, each weighed by the softmax of its similarity.

    One vote more is spread over all labels evenly, so that no label is ruled out by ``k`` cases alone.
    """
    if not len(labels):
        return np.full(n_labels, 1 / n_labels)
    weights = np.exp((similarities - similarities.max()) / temperature)
    shares = np.bincount(labels, weights / weights.sum(), minlength=n_labels)
    smoothed: Vector = (shares * len(labels) + 1 / n_labels) / (len(labels) + 1)
    return smoothed


def prior_temperature(scores: Matrix) -> float:
    """The temperature at which the median row gives its leading label .9 against its second."""
    ordered = np.sort(_filled(scores), axis=1)
    margin = float(np.median(ordered[:, -1] - ordered[:, -2])) if len(ordered) else 0.0
    return max(margin / float(np.log(_PRIOR_SHARE)), _LEAST)


def fit_temperature(scores: Matrix, labels: Labels) -> float:
    """The temperature of highest posterior density for held-out scores ``(n, n_labels)`` and their true labels.

    The prior on its logarithm is normal around ``prior_temperature``, so that a few easy cases do not drive it to
    certainty. Rows whose true class has no case are left out; without any row it is the prior's.
    """
    usable = np.isfinite(scores[np.arange(len(labels)), labels])
    scores, labels = scores[usable], labels[usable]
    centre = float(np.log(prior_temperature(scores)))
    if not len(labels):
        return float(np.exp(centre))

    def loss(log_temperature: float) -> float:
        shares = distribution(scores, float(np.exp(log_temperature)))
        right = shares[np.arange(len(labels)), labels]
        misfit = -float(np.log(np.maximum(right, 1e-300)).sum())
        return misfit + (log_temperature - centre) ** 2 / (2 * _PRIOR_SPREAD**2)

    best = minimize_scalar(loss, bounds=(centre - 5, centre + 5), method="bounded")
    return float(np.exp(best.x))


def _filled(scores: Matrix) -> Matrix:
    """Scores with the missing classes at the least score of their row."""
    present = np.isfinite(scores)
    least = np.where(present, scores, np.inf).min(axis=1, keepdims=True)
    return np.where(present, scores, np.where(np.isfinite(least), least, 0.0))
