"""What a set of verdicts comes to: the panel beside each of its agents, on cases whose label is known."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.opinion import Opinion
from doubleread.core.task import Task
from doubleread.core.trust import Estimate, TrustProfile
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.calibration import restore_calibrator
from doubleread.orchestrator.metrics import CLIP, risk_coverage
from doubleread.orchestrator.resampling import bootstrap
from doubleread.orchestrator.trust import profile, share


class SecondLookEffect(Record):
    """How often an agent's answer was taken from wrong to right, and from right to wrong."""

    agent: str
    looked: int
    helped: int
    harmed: int


class Curve(Record):
    """Risk (share wrong) among the most confident share of cases."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


class Summary(Record):
    """Figures on unseen cases. Agents are shown after calibration, as the panel uses them."""

    n: int
    panel: TrustProfile
    agents: tuple[TrustProfile, ...]
    committed: int
    committed_accuracy: Estimate | None
    referred: int
    second_looks: int
    set_coverage: float
    set_size: float
    effects: tuple[SecondLookEffect, ...]
    risk_coverage: dict[str, Curve]
    seconds_median: float
    leaked: int
    """Images that are nearly the same as one of the panel's own cases."""
    accuracy_without_leaks: Estimate | None
    """The panel's on the others; None where nothing leaked, or everything."""

    @property
    def best_accuracy(self) -> TrustProfile:
        """The single agent with the highest accuracy."""
        return max(self.agents, key=lambda p: p.accuracy.value)

    @property
    def best_nll(self) -> TrustProfile:
        """The single agent with the lowest log-loss."""
        return min(self.agents, key=lambda p: p.nll.value)


def summarise(verdicts: Sequence[Verdict], task: Task, trust: Sequence[TrustProfile], *, seed: int = 0) -> Summary:
    """Figures of verdicts on labelled cases, with cluster-bootstrap intervals by group; silent agents have none.

    ``trust`` are the fitted panel's profiles: each agent's first answer is calibrated with the calibrator in its own.
    Raises ``DataError`` without a verdict.
    """
    if not verdicts:
        raise DataError("there is no verdict to judge: no image could be read, or none was left for judging")
    labels = np.array([task.index(str(v.case.label)) for v in verdicts], dtype=np.int64)
    groups = [v.case.group or v.case.id for v in verdicts]
    posterior = _posterior(verdicts, task)
    first = {p.agent: calibrated_first(verdicts, task, p) for p in trust if p.round == 1 and p.calibrator}
    distributions = {name: p for name, p in first.items() if not np.isnan(p).all()}

    def judged(name: str, p: Matrix) -> TrustProfile:
        return profile(name, task, p, labels, groups, round=1, source=None, learned_from="unseen cases", seed=seed)

    committed = np.array([v.decision.action == "commit" for v in verdicts])
    leaked = np.array([v.evidence is not None and bool(v.evidence.near_copies) for v in verdicts])
    right = np.array([v.decision.label == v.case.label for v in verdicts], dtype=bool)
    curves = {"panel": posterior, **distributions}
    return Summary(
        n=len(verdicts),
        panel=judged("panel", posterior),
        agents=tuple(judged(name, p) for name, p in distributions.items()),
        committed=int(committed.sum()),
        committed_accuracy=share(right[committed], np.array(groups)[committed], seed) if committed.any() else None,
        referred=int((~committed).sum()),
        second_looks=sum(v.second_look is not None for v in verdicts),
        set_coverage=float(np.mean([v.case.label in v.prediction_set for v in verdicts])),
        set_size=float(np.mean([len(v.prediction_set) for v in verdicts])),
        effects=tuple(_effect(name, verdicts) for name in distributions),
        risk_coverage={name: _curve(p, labels) for name, p in curves.items()},
        seconds_median=float(np.median([v.seconds for v in verdicts])),
        leaked=int(leaked.sum()),
        accuracy_without_leaks=_accuracy(posterior[~leaked], labels[~leaked], np.array(groups)[~leaked], seed)
        if 0 < leaked.sum() < len(verdicts)
        else None,
    )


def _accuracy(p: Matrix, labels: Labels, groups: NDArray[np.str_], seed: int) -> Estimate:
    right = np.array(np.where(np.isnan(p).any(axis=1), False, p.argmax(axis=1) == labels), bool)
    return share(right, groups, seed)


def calibrated_first(verdicts: Sequence[Verdict], task: Task, trust: TrustProfile) -> Matrix:
    """An agent's first answers after calibration, shape ``(n, n_labels)``; NaN rows where it abstained."""
    rows = np.full((len(verdicts), len(task.names)), np.nan)
    for i, verdict in enumerate(verdicts):
        said = next((o for o in verdict.opinions if o.agent == trust.agent and o.round == 1), None)
        if said is not None:
            rows[i] = said.vector(task)
    calibrator = restore_calibrator(trust.calibrator)
    spoke = ~np.isnan(rows).any(axis=1)
    rows[spoke] = calibrator.apply(rows[spoke])
    return rows


def nll_gain(verdicts: Sequence[Verdict], task: Task, trust: TrustProfile, *, seed: int = 0) -> Estimate:
    """Paired difference in log-loss, agent minus panel, on the cases where the agent spoke: above 0, the panel wins."""
    labels = np.array([task.index(str(v.case.label)) for v in verdicts], dtype=np.int64)
    theirs = calibrated_first(verdicts, task, trust)
    ours = _posterior(verdicts, task)
    spoke = ~np.isnan(theirs + ours).any(axis=1)
    gain = _losses(theirs[spoke], labels[spoke]) - _losses(ours[spoke], labels[spoke])
    groups = np.array([v.case.group or v.case.id for v in verdicts])[spoke]
    return _mean(gain, groups, seed)


def _posterior(verdicts: Sequence[Verdict], task: Task) -> Matrix:
    """Shape ``(n, n_labels)``; NaN rows where nobody spoke."""
    return np.array([[v.posterior.get(name, np.nan) for name in task.names] for v in verdicts])


def _mean(values: Vector, groups: np.ndarray[tuple[int], np.dtype[np.str_]], seed: int) -> Estimate:
    return bootstrap(lambda rows: float(values[rows].mean()), len(values), groups=groups, seed=seed)


def _losses(p: Matrix, labels: Labels) -> Vector:
    """Log-loss of each case in nats, shape ``(n,)``."""
    return np.asarray(-np.log(np.clip(p[np.arange(len(labels)), labels], CLIP, 1)))


def _curve(p: Matrix, labels: Labels) -> Curve:
    spoke = ~np.isnan(p).any(axis=1)
    curve = risk_coverage(p[spoke].max(axis=1), p[spoke].argmax(axis=1) == labels[spoke])
    return Curve(coverage=tuple(curve.coverage.tolist()), risk=tuple(curve.risk.tolist()))


def _effect(agent: str, verdicts: Sequence[Verdict]) -> SecondLookEffect:
    helped = harmed = looked = 0
    for verdict in verdicts:
        said = {o.round: o for o in verdict.opinions if o.agent == agent}
        if verdict.second_look is None or not _both(said):
            continue
        looked += 1
        before, after = said[1].label == verdict.case.label, said[max(said)].label == verdict.case.label
        helped, harmed = helped + (after and not before), harmed + (before and not after)
    return SecondLookEffect(agent=agent, looked=looked, helped=helped, harmed=harmed)


def _both(said: dict[int, Opinion]) -> bool:
    return 1 in said and max(said) > 1
