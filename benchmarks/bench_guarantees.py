"""What the guarantees come to on the paper's recorded answers: promised, and kept over many divisions of them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from benchmarks.data import paper_answers
from benchmarks.figure import Figure
from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.evals.reproduction.paper_replay import replay
from doubleread.evals.reproduction.reproduction_report import AGENTS
from doubleread.orchestrator.conformal import SCORES, ConformalSets, chances
from doubleread.orchestrator.conformal.selective_risk import SelectiveRisk
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Learning

REPEATS, HALVES = 5, 40
"""Cross-fittings of the panel, and random halves of each."""
COVERAGES = (0.9, 0.95)
RISKS = (0.05, 0.1)
DELTA = 0.1


class _Judged(NamedTuple):
    """One half's verdicts on the other: whether each set held the label, and its size; shape ``(n,)`` each."""

    hits: Labels
    sizes: Labels
    labels: Labels
    kind: str


def paper_guarantees() -> Iterator[Figure]:
    """The panel's cross-fitted posteriors on the recorded answers, with second looks, and what is promised of them."""
    panel, readings = paper_answers()
    found = replay(panel.task, AGENTS, readings, learning=Learning(), policy=Policy(), repeats=REPEATS)
    yield from promises("paper", found.posterior, readings.labels, chances(case.id for case in panel.cases))


def promises(name: str, posterior: Tensor3, y: Labels, u: Vector) -> Iterator[Figure]:
    """Sets by every score, and committed risk: fitted on one half of the cases, judged on the other.

    ``posterior`` has shape ``(repeats, n, k)``, each repeat of the same cases; ``u`` one chance a case, ``(n,)``.
    """
    for coverage in COVERAGES:
        for score in SCORES.names():
            judged = [_judge(P, y, u, half, score, coverage) for P, half in _halves(posterior)]
            yield from _sets(f"{name}, {score} sets at {coverage:.0%}", judged, coverage)
    for risk in RISKS:
        yield from _selective(f"{name}, at most {risk:.0%} wrong", posterior, y, risk)


def _halves(posterior: Tensor3) -> Iterator[tuple[Matrix, Labels]]:
    """Each repeat's posteriors with a shuffle of the cases, to be cut in the middle."""
    rng = np.random.default_rng(0)
    for P in posterior:
        for _ in range(HALVES):
            yield P, rng.permutation(len(P))


def _judge(P: Matrix, y: Labels, u: Vector, shuffled: Labels, score: str, coverage: float) -> _Judged:
    fit, test = np.array_split(shuffled, 2)
    sets = ConformalSets.fit(P[fit], y[fit], coverage, score, u=u[fit])
    found = sets.predict(P[test], u[test])
    hits = np.array([label in one for label, one in zip(y[test], found, strict=True)])
    return _Judged(hits.astype(int), np.array([len(one) for one in found]), y[test], sets.kind)


def _sets(name: str, judged: list[_Judged], coverage: float) -> Iterator[Figure]:
    covered = np.array([one.hits.mean() for one in judged])
    kinds = [one.kind for one in judged]
    by_label = [
        np.concatenate([one.hits[one.labels == label] for one in judged]).mean()
        for label in range(int(judged[0].labels.max()) + 1)
    ]
    n = len(judged[0].labels)
    note = (
        f"mean, 5th and 95th percentile of {len(judged)} halves; {kinds.count('class-conditional')} class-conditional"
    )
    low, high = np.quantile(covered, [0.05, 0.95])
    yield Figure(
        name=f"{name}: coverage", value=float(covered.mean()), low=float(low), high=float(high), n=n,
        target=f">= {coverage}", note=note,
    )  # fmt: skip
    yield Figure(name=f"{name}: coverage of the worst label", value=float(min(by_label)), n=n)
    yield Figure(name=f"{name}: labels in a set", value=float(np.mean([one.sizes.mean() for one in judged])), n=n)


def _selective(name: str, posterior: Tensor3, y: Labels, risk: float) -> Iterator[Figure]:
    """Committed on the other half, and the error rate there over all halves together."""
    committed, wrong, nothing = [], [], 0
    for P, shuffled in _halves(posterior):
        fit, test = np.array_split(shuffled, 2)
        confidence, correct = P.max(axis=1), P.argmax(axis=1) == y
        rule = SelectiveRisk.fit(confidence[fit], correct[fit], risk, DELTA)
        sure = rule.commits(confidence[test])
        committed.append(sure.mean())
        wrong.append((sure & ~correct[test]).sum())
        nothing += rule.threshold is None
    n = len(posterior[0]) // 2
    note = f"{nothing} of {len(committed)} halves could promise nothing; confidence {1 - DELTA:.0%}"
    yield Figure(name=f"{name}: committed", value=float(np.mean(committed)), n=n, note=note)
    share = float(np.sum(wrong) / max(np.sum(committed) * n, 1))
    yield Figure(name=f"{name}: wrong among the committed", value=share, n=n, target=f"<= {risk}")
