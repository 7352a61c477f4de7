"""Scores of how unfamiliar a case is to a panel, and how well they tell unfamiliar images from familiar ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from scipy.stats import rankdata

from doubleread.core.task import Task
from doubleread.core.trust import Estimate
from doubleread.core.types import Matrix, Tensor3, Vector
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.ood.familiarity import nearness_of
from doubleread.orchestrator.resampling import bootstrap

OURS = "familiarity"
COOKED = ("discriminant", "logistic", "zero-shot")
"""Closed-set classifier, linear probe, zero-shot CLIP, where they speak: the ensemble of COOkeD (arXiv 2507.22576)."""
DRAWS = 500
Mask = NDArray[np.bool_]
CaseRows = NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """What one panel makes of a list of cases: by each method a score, high for the unfamiliar, shape ``(n,)``.

    ``familiar`` and ``unfamiliar`` say which of them are so to this panel; a case may be neither. ``alarm`` is where
    the panel said so itself.
    """

    scores: dict[str, Vector]
    familiar: Mask
    unfamiliar: Mask
    alarm: Mask

    def of(self, statistic: "Statistic", method: str, rows: CaseRows) -> float:
        """A statistic of a method on some of the cases."""
        scores = self.scores[method][rows]
        return statistic(scores[self.familiar[rows]], scores[self.unfamiliar[rows]])


Statistic = Callable[[Vector, Vector], float]
"""Of the familiar cases' scores ``(n,)`` and the unfamiliar ones' ``(m,)``."""


def auroc(familiar: Vector, unfamiliar: Vector) -> float:
    """Probability that an unfamiliar case scores above a familiar one, ties counting half; NaN without one of them.

    Mann and Whitney 1947.
    """
    n, m = len(familiar), len(unfamiliar)
    if not n or not m:
        return float("nan")
    ranks = rankdata(np.concatenate([familiar, unfamiliar]))[n:]
    return float((ranks.sum() - m * (m + 1) / 2) / (n * m))


def passed_at_95(familiar: Vector, unfamiliar: Vector) -> float:
    """Share of the unfamiliar that score no higher than 95 % of the familiar do ("FPR at 95 % TPR")."""
    if not len(familiar) or not len(unfamiliar):
        return float("nan")
    return float(np.mean(unfamiliar <= np.quantile(familiar, 0.95, method="inverted_cdf")))


def mean_over(panels: Sequence[Scored], method: str, groups: Sequence[str], statistic: Statistic = auroc) -> Estimate:
    """A statistic of a method, averaged over panels that judged the same cases; 95 % bootstrap interval over groups."""
    return _over(groups, lambda rows: [p.of(statistic, method, rows) for p in panels])


def gain(panels: Sequence[Scored], method: str, than: str, groups: Sequence[str]) -> Estimate:
    """By how much one method's mean AUROC exceeds another's, on the same draws."""
    return _over(groups, lambda rows: [p.of(auroc, method, rows) - p.of(auroc, than, rows) for p in panels])


def alarms(panels: Sequence[Scored], groups: Sequence[str], *, unfamiliar: bool) -> Estimate:
    """Share of the unfamiliar, or of the familiar, cases that raise the alarm, averaged over panels."""

    def shares(rows: CaseRows) -> list[float]:
        chosen = [(p.alarm[rows], (p.unfamiliar if unfamiliar else p.familiar)[rows]) for p in panels]
        return [float(alarm[which].mean()) if which.any() else float("nan") for alarm, which in chosen]

    return _over(groups, shares)


def _over(groups: Sequence[str], values: Callable[[CaseRows], list[float]]) -> Estimate:
    return bootstrap(lambda rows: float(np.mean(values(rows))), len(groups), draws=DRAWS, groups=groups)


def first_opinions(verdicts: Sequence[Verdict], agents: Sequence[str], task: Task) -> Tensor3:
    """What the agents said at first, uncalibrated, ``(n, agents, k)``; NaN where one gave no opinion."""
    said = np.full((len(verdicts), len(agents), len(task.names)), np.nan)
    for i, verdict in enumerate(verdicts):
        for opinion in verdict.opinions:
            if opinion.round == 1 and opinion.agent in agents:
                said[i, agents.index(opinion.agent)] = opinion.vector(task)
    return said


def scores(verdicts: Sequence[Verdict], agents: Sequence[str], task: Task) -> dict[str, Vector]:
    """Every baseline's scores, high for the unfamiliar, each ``(n,)``; agents that never spoke have none."""
    said = first_opinions(verdicts, agents, task)
    spoke = [i for i in range(len(agents)) if not np.isnan(said[:, i]).any()]
    posterior = np.array([[v.scores[name] for name in task.names] for v in verdicts])
    cooked = said[:, [i for i in spoke if agents[i] in COOKED]].mean(axis=1)
    distributions = {
        **{agents[i]: said[:, i] for i in spoke},
        "posterior": posterior,
        "panel-average": said[:, spoke].mean(axis=1),
        "cooked": cooked,
    }
    found = {f"{name}.msp": -p.max(axis=1) for name, p in distributions.items()}
    found |= {f"{name}.entropy": _entropy(p) for name, p in distributions.items()}
    qualities = [v.evidence.quality if v.evidence else None for v in verdicts]
    found["nearest-case"] = np.array([np.nan if q is None else -q.similarity for q in qualities])
    found["nearness"] = np.array([-nearness_of(v.evidence) for v in verdicts])
    return found


def _entropy(p: Matrix) -> Vector:
    return np.asarray(entr(p).sum(axis=1))
