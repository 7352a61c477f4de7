"""Learns when to ask paid agents, and what asking costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from doubleread.core.notices import Caution
from doubleread.core.opinion import Answer
from doubleread.core.task import Task
from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.gates.gate import NEVER, Gate, decision_costs
from doubleread.orchestrator.learning.choice import FusionChoice
from doubleread.orchestrator.learning.fusion_learning import Learned, Sample, learn
from doubleread.orchestrator.metrics import Gain, log_gain, nll


@dataclass(frozen=True)
class GateSample:
    """The calibration cases, their first answers, and the chosen fusion."""

    task: Task
    agents: tuple[str, ...]
    first: Sequence[Sequence[Answer]]
    sample: Sample
    chosen: FusionChoice
    made: dict[bytes, Learned] = field(default_factory=dict, repr=False, compare=False)
    """Cached fits, by a digest of the fused opinions."""

    def groups_of(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Group indices of these cases."""
        return self.sample.codes[rows]

    def gain(self, before: Matrix, after: Matrix, rows: NDArray[np.bool_]) -> Gain:
        """Decrease in log-loss from ``before`` to ``after``, ``(n, k)``, on these cases."""
        return log_gain(before[rows], after[rows], self.labels[rows], self.groups_of(rows))

    def saved(self, before: Matrix, after: Matrix, rows: NDArray[np.bool_]) -> Vector:
        """Decision cost that ``after``, ``(n, k)``, saves against ``before`` on each of these cases."""
        costs = (decision_costs(self.task, posterior[rows], self.labels[rows]) for posterior in (before, after))
        return np.asarray(np.subtract(*costs))

    def learn(self, raw: Tensor3, alternatives: Mapping[str, Tensor3] | None = None) -> Learned:
        """Fits the chosen fusion to other answers on the same cases; caches fits.

        Opinions ``raw`` have shape ``(n, agents, k)``, or ``(n, 2 · agents, k)`` for the answers of both rounds.
        """
        key = _digest({"": raw, **(alternatives or {})})
        if key not in self.made:
            rounds = raw.shape[1] // len(self.agents)
            sample = replace(self.sample, assumed=self.sample.assumed_by(len(self.agents)) * rounds)
            kinds = self.chosen.calibrators * rounds
            self.made[key] = learn(raw, sample, rule=self.chosen.rule, calibrator=kinds, alternatives=alternatives)
        return self.made[key]

    @property
    def labels(self) -> Labels:
        """True labels, shape ``(n,)``."""
        return self.sample.labels


def _digest(opinions: Mapping[str, Tensor3]) -> bytes:
    found = sha256()
    for name, values in opinions.items():
        found.update(f"{name} {values.shape}".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.digest()


@dataclass(frozen=True)
class Prices:
    """Mean price (US dollars) and time (seconds) of each agent's answers, shape ``(agents,)``."""

    usd: Vector
    seconds: Vector
    policy: Policy

    def of(self, agents: Sequence[int]) -> float:
        """Price of asking these agents concurrently. An unknown price counts as 0."""
        return self.policy.price(float(np.nansum(self.usd[agents])), float(self.seconds[agents].max(initial=0.0)))


def mean_usd(answers: Sequence[Sequence[Answer]]) -> Vector:
    """Mean cost of each agent's answers in US dollars, shape ``(agents,)``; NaN if any is unknown."""
    costs = [[np.nan if a.usage.cost_usd is None else a.usage.cost_usd for a in row] for row in answers]
    return np.asarray(np.mean(np.array(costs, dtype=float), axis=0))


def mean_seconds(answers: Sequence[Sequence[Answer]]) -> Vector:
    """Mean time of each agent's answers in seconds, shape ``(agents,)``."""
    return np.asarray(np.mean([[a.seconds for a in row] for row in answers], axis=0))


@dataclass(frozen=True)
class CascadeFit:
    """Which agents are spared at first, if any, and the resulting held-out posterior, ``(n, k)``.

    ``heard`` holds the first answers except those of spared agents, ``(n, agents, k)``.
    """

    posterior: Matrix
    heard: Tensor3
    local: Learned | None = None
    gate: Gate | None = None
    notes: tuple[str, ...] = ()


def ask_more(asked: GateSample, first: Tensor3, policy: Policy) -> CascadeFit:
    """Learns when paid agents are worth asking; all are asked at once if the budget allows it.

    They are asked only if that clearly lowered the log-loss of the calibration cases on which they would be asked.
    """
    everyone = asked.chosen.learned.held_out
    usd = mean_usd(asked.first)
    spoke = np.asarray(~np.isnan(first).all(axis=(0, 2)))
    dear = [i for i in range(len(asked.agents)) if spoke[i] and not usd[i] <= policy.free_usd]
    if policy.ask_share >= 1 or not dear or len(dear) == spoke.sum():
        return CascadeFit(everyone, first)
    silent = first.copy()
    silent[:, dear] = np.nan
    local = asked.learn(silent)
    gate = Gate.fit(
        asked.task,
        [asked.agents[i] for i in dear],
        local.held_out,
        everyone,
        asked.labels,
        price=Prices(usd, mean_seconds(asked.first), policy).of(dear),
        max_share=policy.ask_share,
    )
    opened = gate.open_on(local.held_out, asked.task)
    gain = asked.gain(local.held_out, everyone, opened)
    if not gain.clear:
        gate, opened = gate.model_copy(update={"doubt": NEVER}), np.zeros_like(opened)
    posterior = np.where(opened[:, None], everyone, local.held_out)
    heard = np.where(opened[:, None, None], first, silent)
    losses = f"log-loss {nll(posterior, asked.labels):.3f}, {nll(everyone, asked.labels):.3f} if always asked"
    unknown = [asked.agents[i] for i in dear if np.isnan(usd[i])]
    told = f"gain in log-loss where asked {gain.line}"
    note = f"{', '.join(gate.agents)} asked on {opened.mean():.0%} of the calibration cases ({losses}; {told})"
    if not opened.any() and policy.ask_share > 0:
        note = f"{', '.join(gate.agents)} not asked: no clear gain in log-loss ({gain.line} where it would be asked)"
    return CascadeFit(posterior, heard, local, gate, (note, *_unpriced(unknown)))


def _unpriced(agents: Sequence[str]) -> tuple[str, ...]:
    told = f"price unknown, so only the share bounds how often it is asked: {', '.join(agents)}"
    return (Caution(told),) if agents else ()
