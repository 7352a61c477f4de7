"""Rare labels: how close a panel comes to Bayes' rule where its agents treat all labels as equally frequent."""

from collections.abc import Iterator

import numpy as np

from benchmarks.figure import Figure
from doubleread.core.types import Labels, Matrix, Tensor3
from doubleread.orchestrator.learning.assumed_prior import Assumed
from doubleread.orchestrator.learning.choice import AUTO, choose
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.metrics import nll

SHARES = np.array([0.9, 0.1])
CASES, FRESH, AGENTS, SKILL, DRAWS = 2000, 20_000, 3, 1.5, 5


def priors() -> Iterator[Figure]:
    """Exact class-balanced agents on a 90/10 task, 2,000 calibration cases: log-loss above that of Bayes' rule."""
    balanced: Assumed = (np.full(2, 0.5),) * AGENTS
    for name, assumed in (("declared", balanced), ("unknown", (None,) * AGENTS)):
        above = []
        for seed in range(DRAWS):
            raw, y, _ = exact(CASES, seed)
            fresh, truth, bayes = exact(FRESH, 1000 + seed)
            found = choose(raw, Sample(y, assumed=assumed, seed=seed), calibrator=AUTO, rule=AUTO)
            above.append(nll(found.learned.fuse(fresh), truth) - nll(bayes, truth))
        note = f"mean, minimum and maximum of {DRAWS} draws"
        yield Figure.over(f"priors.{name}.nll_above_bayes", above, "<= 0.01", note, n=FRESH * DRAWS)


def exact(n: int, seed: int) -> tuple[Tensor3, Labels, Matrix]:
    """Opinions ``(n, agents, 2)`` of independent agents that are exact under equal label frequencies, the true labels
    ``(n,)`` at 90/10, and the posterior by Bayes' rule, ``(n, 2)``."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < SHARES[1]).astype(np.int64)
    scores = rng.normal(size=(n, AGENTS)) + np.where(y == 1, SKILL / 2, -SKILL / 2)[:, None]
    rare = 1 / (1 + np.exp(-SKILL * scores))
    odds = SHARES[1] / SHARES[0] * np.prod(rare / (1 - rare), axis=1)
    return np.stack([1 - rare, rare], axis=2), y, np.column_stack([1 / (1 + odds), odds / (1 + odds)])
