"""Learning an arbiter from the answers that agents gave on cases they were not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer, ConfidenceSource, Opinion
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Labels, Matrix, Tensor3
from doubleread.orchestrator.arbiter import Arbiter, HeldOut, combine
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.learning import Learned, learn
from doubleread.orchestrator.metrics import CLIP, Flags, nll
from doubleread.orchestrator.policy import Policy, second_look_reasons
from doubleread.orchestrator.trust import profile

PANEL = "panel"
"""Name of the whole panel in its own trust profile."""


@dataclass(frozen=True)
class Readings:
    """What every agent said about every calibration case, in both rounds, and the evidence it was given."""

    first: Sequence[Sequence[Answer]]
    """``first[case][agent]``."""
    second: Sequence[Sequence[Answer]]
    evidence: Sequence[Evidence]
    labels: Labels
    groups: Sequence[str] | None
    learned_from: str

    def rows(self, picked: Flags) -> "Readings":
        """Those of the picked cases; shape ``(n,)``."""
        at = np.flatnonzero(picked).tolist()
        return replace(
            self,
            first=[self.first[i] for i in at],
            second=[self.second[i] for i in at],
            evidence=[self.evidence[i] for i in at],
            labels=self.labels[at],
            groups=None if self.groups is None else [self.groups[i] for i in at],
        )


@dataclass(frozen=True)
class Learning:
    """How trust is to be learned; the names are those of the settings."""

    rule: str = "panel-mean"
    calibrator: str = "temperature"
    folds: int = 5
    bins: int = 15
    ocr_threshold: float = 0.8
    coverage: float = 0.9
    seed: int = 0


def fit_arbiter(
    task: Task,
    agents: tuple[str, ...],
    readings: Readings,
    policy: Policy,
    learning: Learning,
    referees: Sequence[str] = (),
) -> Arbiter:
    """Calibrators, fusion, profiles, conformal sets and gates, everything judged by cross-fitting.

    Second looks that did not lower the log-loss of the calibration cases they would be taken on are switched off.
    Of the agents, those named in ``referees`` stay only where they clearly lowered the log-loss.
    """
    first, second = tensor(task, readings.first), tensor(task, readings.second)
    one, left_out = _learn_with_referees(first, task, agents, readings, learning, referees)
    silenced = [agents.index(name) for name in left_out]
    first[:, silenced], second[:, silenced] = np.nan, np.nan
    policy = policy.model_copy(update={"familiar_similarity": familiar_similarity(readings.evidence)})
    second_fit, posterior = None, one.held_out
    again = read_again(second)
    if policy.max_rounds > 1 and again.any():
        two = _learn(second[again], task, readings.rows(again), learning)
        gated = again & looked_again(task, agents, one, readings.evidence, policy)
        after = after_both(one, two, again, gated)
        if pays(posterior[gated], after[gated], readings.labels[gated]):
            second_fit, posterior = two, after
    correct = posterior.argmax(axis=1) == readings.labels
    profiles = [
        *_profiles(task, agents, first, one, 1, readings, learning),
        *(_profiles(task, agents, second[again], second_fit, 2, readings.rows(again), learning) if second_fit else ()),
        _panel_profile(task, posterior, readings, learning),
    ]
    return Arbiter(
        task=task,
        agents=agents,
        first=one,
        second=second_fit,
        policy=policy,
        sets=ConformalSets.fit(posterior, readings.labels, coverage=learning.coverage),
        held_out=HeldOut(confidence=posterior.max(axis=1), correct=correct),
        profiles=tuple(profiles),
        left_out=left_out,
    )


def tensor(task: Task, answers: Sequence[Sequence[Answer]]) -> Tensor3:
    """Raw distributions, shape ``(cases, agents, labels)``; NaN where an agent abstained."""
    nothing = np.full(len(task.names), np.nan)
    rows = [[a.vector(task) if isinstance(a, Opinion) else nothing for a in case] for case in answers]
    return np.array(rows, dtype=float)


def familiar_similarity(evidence: Sequence[Evidence]) -> float | None:
    """The nearest-case similarity that 99 % of calibration cases reach; None for fewer than 50 cases."""
    nearest = [e.quality.similarity for e in evidence if e.quality is not None]
    return float(np.quantile(nearest, 0.01)) if len(nearest) >= 50 else None


def looked_again(
    task: Task, agents: tuple[str, ...], one: Learned, evidence: Sequence[Evidence], policy: Policy
) -> Flags:
    """On which calibration cases the gates open, by held-out posteriors; shape ``(n,)``."""
    opened = []
    weights_of_all = one.rule.fuse(one.held_out_calibrated).weights
    for posterior, calibrated, weights, found in zip(
        one.held_out, one.held_out_calibrated, weights_of_all, evidence, strict=True
    ):
        spoke = {n: row for n, row in zip(agents, calibrated, strict=True) if not np.isnan(row).any()}
        votes = {name: task.names[int(row.argmax())] for name, row in spoke.items()}
        shares = dict(zip(agents, weights.tolist(), strict=True))
        opened.append(bool(second_look_reasons(task, posterior, votes, shares, found, policy)))
    return np.array(opened)


def read_again(second: Tensor3) -> Flags:
    """The cases with any answer of a second look: a case that was confirmed later may have none; shape ``(n,)``."""
    return np.asarray(~np.isnan(second).all(axis=(1, 2)))


def after_both(one: Learned, two: Learned, again: Flags, gated: Flags) -> Matrix:
    """Held-out posteriors where the panel looks again on the ``gated`` cases; ``two`` has the rows of ``again``."""
    both = one.held_out.copy()
    both[again] = combine([one.held_out[again], two.held_out])
    return np.where(gated[:, None], both, one.held_out)


def held_out_posterior(arbiter: Arbiter, readings: Readings) -> Matrix:
    """The whole panel's posterior on the cases that it was learned from, each by a fit that had not seen it."""
    if arbiter.second is None:
        return arbiter.first.held_out
    second = tensor(arbiter.task, readings.second)
    second[:, [arbiter.agents.index(name) for name in arbiter.left_out]] = np.nan
    again = read_again(second)
    gated = again & looked_again(arbiter.task, arbiter.agents, arbiter.first, readings.evidence, arbiter.policy)
    return after_both(arbiter.first, arbiter.second, again, gated)


def pays(before: Matrix, after: Matrix, labels: Labels) -> bool:
    """Whether looking again lowered the log-loss on the cases it was taken on."""
    return len(labels) > 0 and nll(after, labels) < nll(before, labels)


def clearly_better(before: Matrix, after: Matrix, labels: Labels) -> bool:
    """Whether the mean log-loss fell by more than its own standard error, case by case."""
    rows = np.arange(len(labels))
    gain = np.log(np.maximum(after[rows, labels], CLIP)) - np.log(np.maximum(before[rows, labels], CLIP))
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _learn_with_referees(
    raw: Tensor3, task: Task, agents: tuple[str, ...], readings: Readings, learning: Learning, referees: Sequence[str]
) -> tuple[Learned, tuple[str, ...]]:
    """The fit of the first round, and the referees that were left out of it."""
    kept = [name not in referees for name in agents]
    best = _learn(np.where(np.array(kept)[None, :, None], raw, np.nan), task, readings, learning)
    for i, name in enumerate(agents):
        if name not in referees or np.isnan(raw[:, i]).all():
            continue
        kept[i] = True
        candidate = _learn(np.where(np.array(kept)[None, :, None], raw, np.nan), task, readings, learning)
        kept[i] = clearly_better(best.held_out, candidate.held_out, readings.labels)
        best = candidate if kept[i] else best
    return best, tuple(name for name, keep in zip(agents, kept, strict=True) if not keep)


def _learn(raw: Tensor3, task: Task, readings: Readings, learning: Learning) -> Learned:
    return learn(
        raw,
        readings.labels,
        readings.groups,
        task.prior_vector() if task.prior else None,  # without a stated prevalence, that of the calibration cases
        rule=learning.rule,
        calibrator=learning.calibrator,
        folds=learning.folds,
        seed=learning.seed,
    )


def _profiles(
    task: Task,
    agents: tuple[str, ...],
    raw: Tensor3,
    learned: Learned,
    round_: int,
    readings: Readings,
    learning: Learning,
) -> list[TrustProfile]:
    """One profile for each agent that gave any opinion in that round."""
    answers = readings.first if round_ == 1 else readings.second
    spoke = [i for i in range(len(agents)) if not np.isnan(raw[:, i]).all()]
    return [
        profile(
            agents[i],
            task,
            raw[:, i],
            readings.labels,
            readings.groups,
            round=round_,
            source=_source(answers, i),
            bins=learning.bins,
            ocr_threshold=learning.ocr_threshold,
            calibrator=learned.calibrators[i],
            calibrated_P=learned.held_out_calibrated[:, i],
            learned_from=readings.learned_from,
            seed=learning.seed,
        )
        for i in spoke
    ]


def _panel_profile(task: Task, posterior: Matrix, readings: Readings, learning: Learning) -> TrustProfile:
    return profile(
        PANEL,
        task,
        posterior,
        readings.labels,
        readings.groups,
        round=1,
        source=None,
        bins=learning.bins,
        ocr_threshold=learning.ocr_threshold,
        learned_from=readings.learned_from,
        seed=learning.seed,
    )


def _source(answers: Sequence[Sequence[Answer]], agent: int) -> ConfidenceSource | None:
    return next((a.confidence_source for case in answers if isinstance(a := case[agent], Opinion)), None)
