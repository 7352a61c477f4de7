"""Learning whom to ask further: the agents that cost money, and everyone a second time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.opinion import Answer
from doubleread.core.task import Task
from doubleread.core.types import Labels, Matrix, Tensor3
from doubleread.orchestrator.arbiter import Pooling, SecondLook, combine
from doubleread.orchestrator.choice import Chosen
from doubleread.orchestrator.gate import Gate, decision_costs, doubt_of_share, doubts
from doubleread.orchestrator.learning import Groups, Learned, learn
from doubleread.orchestrator.metrics import clearly_better, nll
from doubleread.orchestrator.policy import Policy
from doubleread.orchestrator.simplex import spoken

OFF = "second look off: on the calibration cases it would have been taken on it did not lower the log-loss"
HEARD = "heard"
SURE = 2.0
"""Standard errors beyond which an agent is dropped from second looks: a dozen cases are easily misread."""


@dataclass(frozen=True)
class Asked:
    """The calibration cases, what was said first, and how it is fused."""

    task: Task
    agents: tuple[str, ...]
    first: Sequence[Sequence[Answer]]
    labels: Labels
    groups: Groups
    chosen: Chosen
    folds: int
    seed: int

    def learn(self, raw: Tensor3, alternatives: Mapping[str, Tensor3] | None = None) -> Learned:
        """A fit on other answers to the same cases, by the rule that was chosen."""
        prior = self.task.prior_vector() if self.task.prior else None
        rule, calibrator = self.chosen.rule, self.chosen.calibrator
        return learn(
            raw,
            self.labels,
            self.groups,
            prior,
            rule=rule,
            calibrator=calibrator,
            folds=self.folds,
            seed=self.seed,
            alternatives=alternatives,
        )


@dataclass(frozen=True)
class More:
    """Whether some agents are spared at first, and the held-out posterior that comes of it, ``(n, k)``.

    ``heard`` holds the first answers without those that were spared, ``(n, agents, k)``.
    """

    posterior: Matrix
    heard: Tensor3
    local: Learned | None = None
    gate: Gate | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """Whether second looks are taken, and the held-out posterior after them, ``(n, k)``.

    ``raw`` holds the second round's own opinions, ``(n, agents, k)``.
    """

    posterior: Matrix
    raw: Tensor3
    second: SecondLook | None = None
    gate: Gate | None = None
    notes: tuple[str, ...] = ()


def ask_more(asked: Asked, first: Tensor3, policy: Policy) -> More:
    """Learns when the agents that cost money are worth it; everyone is asked at once where the budget allows all."""
    everyone = asked.chosen.learned.held_out
    usd = _mean_usd(asked.first)
    spoke = np.asarray(~np.isnan(first).all(axis=(0, 2)))
    dear = [i for i in range(len(asked.agents)) if spoke[i] and not usd[i] <= policy.free_usd]
    if policy.ask_share >= 1 or not dear or len(dear) == spoke.sum():
        return More(everyone, first)
    silent = first.copy()
    silent[:, dear] = np.nan
    local = asked.learn(silent)
    gate = Gate.fit(
        asked.task,
        [asked.agents[i] for i in dear],
        local.held_out,
        everyone,
        asked.labels,
        price=policy.price(float(np.nansum(usd[dear])), _mean_seconds(asked.first)[dear].max()),
        max_share=policy.ask_share,
    )
    opened = gate.open_on(local.held_out, asked.task)
    posterior = np.where(opened[:, None], everyone, local.held_out)
    heard = np.where(opened[:, None, None], first, silent)
    losses = f"log-loss {nll(posterior, asked.labels):.3f}, {nll(everyone, asked.labels):.3f} if always asked"
    unknown = [asked.agents[i] for i in dear if np.isnan(usd[i])]
    note = f"{', '.join(gate.agents)} asked on {opened.mean():.0%} of the calibration cases ({losses})"
    return More(posterior, heard, local, gate, (note, *_unpriced(unknown)))


def look_again(
    asked: Asked, first: Tensor3, second: Tensor3, answers: Sequence[Sequence[Answer]], more: More, policy: Policy
) -> Look:
    """Learns whom a second look asks, when it is worth its price, and how its answers join the first ones.

    ``more`` is what the first round came to. An agent whose second answers clearly raised the log-loss, or clearly
    save less than they cost, is not asked again. The second look is left out where it did not lower the log-loss of
    the cases it would be taken on.
    """
    turns, before = asked_again(answers), more.posterior
    second = np.where(turns[..., None], second, np.nan)  # an agent that was not asked again keeps its first answer
    again = np.flatnonzero(turns.any(axis=0)).tolist()
    if policy.max_rounds < 2 or not again or np.isnan(second[:, again]).all():
        return Look(before, second)
    usd, seconds = _mean_usd(answers), _mean_seconds(answers)
    doubt = doubts(asked.task, before)
    read = ~np.isnan(second[:, again]).all(axis=(1, 2))  # a case that was confirmed later may have no second look
    gated = read & (doubt > doubt_of_share(doubt, policy.max_share))
    unheard = spoken(first) & ~spoken(more.heard)
    again = [i for i in again if not gated.any() or not unheard[gated, i].all()]
    found = _fused(asked, first, second, more, again, gated)
    prices = {i: policy.price(float(np.nan_to_num(usd[i])), float(seconds[i])) for i in again}
    kept = [i for i in again if not _useless(asked, found, i, gated, prices[i])]
    if kept and kept != again:
        found = _fused(asked, first, second, more, kept, gated)
    gate = Gate.fit(
        asked.task,
        [asked.agents[i] for i in kept],
        before,
        found.held_out,
        asked.labels,
        price=policy.price(float(np.nansum(usd[kept])), float(seconds[kept].max(initial=0.0))),
        max_share=policy.max_share,
    )
    opened = read & gate.open_on(before, asked.task)
    if not kept or not pays(before[opened], found.held_out[opened], asked.labels[opened]):
        return Look(before, second, notes=(OFF,))
    spared = [asked.agents[i] for i in again if i not in kept]
    notes = (f"not asked again, their second answers are not worth it: {', '.join(spared)}",) if spared else ()
    posterior = np.where(opened[:, None], found.held_out, before)
    return Look(posterior, found.raw, SecondLook(found.pooling, found.learned), gate, notes)


def _unpriced(agents: Sequence[str]) -> tuple[str, ...]:
    """A note on agents whose worth cannot be weighed against their price."""
    return (f"price unknown, so only the share bounds how often it is asked: {', '.join(agents)}",) if agents else ()


def pays(before: Matrix, after: Matrix, labels: Labels) -> bool:
    """Whether asking further lowered the log-loss on the cases it was done on."""
    return len(labels) > 0 and nll(after, labels) < nll(before, labels)


@dataclass(frozen=True)
class _Both:
    """Both rounds fused: held-out posteriors, and those without each agent's second answer."""

    pooling: Pooling
    learned: Learned
    held_out: Matrix
    without: dict[int, Matrix]
    raw: Tensor3


def _fused(
    asked: Asked, first: Tensor3, second: Tensor3, more: More, again: Sequence[int], gated: NDArray[np.bool_]
) -> _Both:
    """Answers of both rounds at once; round by round where that is clearly better on the cases looked at again.

    Fitted on every answer, judged on those that are heard: an agent that is spared at first has no second look either.
    """
    new, width = np.full(second.shape, np.nan), first.shape[1]
    new[:, again] = second[:, again]
    heard = np.where(np.isnan(more.heard) & ~np.isnan(first), np.nan, new)
    slots = np.concatenate([more.heard, heard], axis=1)
    without = {str(i): _struck(slots, width + i) for i in again}
    at_once = asked.learn(np.concatenate([first, new], axis=1), {HEARD: slots, **without})
    last = _latest(more.heard, heard)
    without = {str(i): _with(last, more.heard, i) for i in again}
    by_round = asked.learn(_latest(first, new), {HEARD: last, **without})
    pooled = {name: combine([more.posterior, found]) for name, found in by_round.alternatives.items()}
    if clearly_better(at_once.alternatives[HEARD][gated], pooled[HEARD][gated], asked.labels[gated]):
        return _Both("rounds", by_round, pooled[HEARD], {i: pooled[str(i)] for i in again}, new)
    one = at_once.alternatives
    return _Both("answers", at_once, one[HEARD], {i: one[str(i)] for i in again}, new)


def _useless(asked: Asked, found: _Both, agent: int, gated: NDArray[np.bool_], price: float) -> bool:
    """Whether an agent's second answers clearly do harm, or clearly save less than their price.

    One case more, on which they saved a referral, is imagined: a dozen cases without any saving are no proof of none.
    """
    labels, without, both = asked.labels[gated], found.without[agent][gated], found.held_out[gated]
    if len(labels) < 2:
        return False
    saved = decision_costs(asked.task, without, labels) - decision_costs(asked.task, both, labels)
    saved = np.append(saved, asked.task.costs.referral)
    at_best = float(saved.mean() + SURE * saved.std() / np.sqrt(len(saved)))
    return clearly_better(both, without, labels, SURE) or at_best < price


def asked_again(answers: Sequence[Sequence[Answer]]) -> NDArray[np.bool_]:
    """Who took a second look on which case, ``(n, agents)``."""
    return np.array([[answer.round > 1 for answer in row] for row in answers], dtype=bool)


def _latest(first: Tensor3, second: Tensor3) -> Tensor3:
    return np.where(np.isnan(second), first, second)


def _struck(raw: Tensor3, slot: int) -> Tensor3:
    other = raw.copy()
    other[:, slot] = np.nan
    return other


def _with(raw: Tensor3, first: Tensor3, agent: int) -> Tensor3:
    other = raw.copy()
    other[:, agent] = first[:, agent]
    return other


def _mean_usd(answers: Sequence[Sequence[Answer]]) -> NDArray[np.float64]:
    """What an answer of each agent costs on average; NaN where a price is unknown."""
    costs = [[np.nan if a.usage.cost_usd is None else a.usage.cost_usd for a in row] for row in answers]
    return np.asarray(np.mean(np.array(costs, dtype=float), axis=0))


def _mean_seconds(answers: Sequence[Sequence[Answer]]) -> NDArray[np.float64]:
    return np.asarray(np.mean([[a.seconds for a in row] for row in answers], axis=0))
