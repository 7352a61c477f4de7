"""Learns which agents a second look asks, and when it is worth its price."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.opinion import Answer
from doubleread.core.types import Matrix, Tensor3
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.rounds import Pooling, SecondLookFusion, combine, latest, struck
from doubleread.orchestrator.gates.further import CascadeFit, GateSample, Prices, mean_seconds, mean_usd
from doubleread.orchestrator.gates.gate import Gate, doubt_of_share, doubts
from doubleread.orchestrator.learning.fusion_learning import Learned
from doubleread.orchestrator.metrics import clustered
from doubleread.orchestrator.simplex import spoken

OFF = "second look: off. On the calibration images where it would have been taken, it did not clearly pay"
NEVER_OPEN = "second look: off. On no calibration image was it worth its cost"
HEARD = "heard"
SURE = 2.0
"""Standard errors above an agent's mean saving up to which its price is accepted."""


@dataclass(frozen=True)
class SecondLookFit:
    """Whether second looks are taken, and the held-out posterior after them, ``(n, k)``.

    ``raw`` holds the second round's opinions, ``(n, agents, k)``.
    """

    posterior: Matrix
    raw: Tensor3
    second: SecondLookFusion | None = None
    gate: Gate | None = None
    notes: tuple[str, ...] = ()


def look_again(
    asked: GateSample,
    first: Tensor3,
    second: Tensor3,
    answers: Sequence[Sequence[Answer]],
    more: CascadeFit,
    policy: Policy,
) -> SecondLookFit:
    """Learns which agents a second look asks, when it is worth its price, and how both rounds are fused.

    ``more`` is the result of the first round. An agent is not asked again if its second answers clearly raised the
    log-loss, or clearly save less than they cost. The second look is used only if it lowered the log-loss of its cases
    by more than one standard error clustered by group, and also their decision cost.
    """
    turns, before = asked_again(answers), more.posterior
    second = np.where(turns[..., None], second, np.nan)  # agents not asked again keep their first answer
    again = np.flatnonzero(spoken(second).any(axis=0)).tolist()
    if policy.max_rounds < 2 or not again:
        return SecondLookFit(before, second)
    read = ~np.isnan(second[:, again]).all(axis=(1, 2))  # cases confirmed later may have no second look
    doubt = doubts(asked.task, before)
    gated = read & (doubt > doubt_of_share(doubt, policy.max_share))
    prices = Prices(mean_usd(answers), mean_seconds(answers), policy)
    kept, spared, found = _worth_asking(asked, _Rounds(first, second, more, gated), again, prices)
    gate = Gate.fit(
        asked.task,
        [asked.agents[i] for i in kept],
        before,
        found.held_out,
        asked.labels,
        price=prices.of(kept),
        max_share=policy.max_share,
    )
    opened = read & gate.open_on(before, asked.task)
    gain = asked.gain(before, found.held_out, opened)
    saved = clustered(asked.saved(before, found.held_out, opened), asked.groups_of(opened))
    if not opened.any():
        return SecondLookFit(before, second, notes=(NEVER_OPEN,))
    told = f"gain in log-loss {gain.line} and in decision cost {saved.line} on {int(opened.sum())} cases"
    if not kept or not gain.clear or saved.mean <= 0:
        return SecondLookFit(before, second, notes=(f"{OFF} ({told})",))
    names = ", ".join(asked.agents[i] for i in spared)
    dropped = (f"no second look by these agents, whose second answers did not clearly help: {names}",) if spared else ()
    notes = (f"second look: on {opened.mean():.0%} of the calibration images ({told})", *dropped)
    posterior = np.where(opened[:, None], found.held_out, before)
    return SecondLookFit(posterior, found.raw, SecondLookFusion(found.pooling, found.learned), gate, notes)


def asked_again(answers: Sequence[Sequence[Answer]]) -> NDArray[np.bool_]:
    """Whether each agent took a second look on each case, ``(n, agents)``."""
    return np.array([[answer.round > 1 for answer in row] for row in answers], dtype=bool)


@dataclass(frozen=True)
class _Rounds:
    """Opinions of both rounds, ``(n, agents, k)``, the first round's result, and the doubtful cases, ``(n,)``."""

    first: Tensor3
    second: Tensor3
    more: CascadeFit
    gated: NDArray[np.bool_]


@dataclass(frozen=True)
class _Both:
    """Fusion of both rounds: held-out posteriors, and those without each agent's second answer."""

    pooling: Pooling
    learned: Learned
    held_out: Matrix
    without: dict[int, Matrix]
    raw: Tensor3


def _worth_asking(
    asked: GateSample, rounds: _Rounds, again: Sequence[int], prices: Prices
) -> tuple[list[int], list[int], _Both]:
    """Returns the agents to ask again, those not worth asking, and the fusion with the former."""
    heard = rounds.gated & ~(spoken(rounds.first) & ~spoken(rounds.more.heard)).T
    able = [i for i in again if not rounds.gated.any() or heard[i].any()]  # not if every doubtful case spares it
    found = _fused(asked, rounds, able)
    kept = [i for i in able if not _useless(asked, found, i, rounds.gated, prices.of([i]))]
    if kept and kept != able:
        found = _fused(asked, rounds, kept)
    return kept, [i for i in able if i not in kept], found


def _fused(asked: GateSample, rounds: _Rounds, again: Sequence[int]) -> _Both:
    """Fuses both rounds together, or separately if that is clearly better on the doubtful cases.

    Fits on all answers but judges without spared agents, which take no second look either.
    """
    first, second, said, gated = rounds.first, rounds.second, rounds.more.heard, rounds.gated
    new, width = np.full(second.shape, np.nan), first.shape[1]
    new[:, again] = second[:, again]
    heard = np.where(np.isnan(said) & ~np.isnan(first), np.nan, new)
    slots = np.concatenate([said, heard], axis=1)
    without = {str(i): struck(slots, width + i) for i in again}
    at_once = asked.learn(np.concatenate([first, new], axis=1), {HEARD: slots, **without})
    last = latest(said, heard)
    without = {str(i): _with(last, said, i) for i in again}
    by_round = asked.learn(latest(first, new), {HEARD: last, **without})
    pooled = {name: combine([rounds.more.posterior, found]) for name, found in by_round.alternatives.items()}
    heard_at_once = at_once.alternatives[HEARD]
    if asked.gain(heard_at_once, pooled[HEARD], gated).clear:
        return _Both("rounds", by_round, pooled[HEARD], {i: pooled[str(i)] for i in again}, new)
    one = at_once.alternatives
    return _Both("answers", at_once, one[HEARD], {i: one[str(i)] for i in again}, new)


def _useless(asked: GateSample, found: _Both, agent: int, gated: NDArray[np.bool_], price: float) -> bool:
    """Whether an agent's second answers clearly do harm, or clearly save less than their price.

    One case on which they save a referral is added: a dozen cases without any saving do not prove that there is none.
    """
    if gated.sum() < 2:
        return False
    without, codes = found.without[agent], asked.groups_of(gated)
    saved = asked.saved(without, found.held_out, gated)
    believed = clustered(np.append(saved, asked.task.costs.referral), np.append(codes, codes.max() + 1))
    return asked.gain(found.held_out, without, gated).clear or believed.mean + SURE * believed.error < price


def _with(raw: Tensor3, first: Tensor3, agent: int) -> Tensor3:
    other = raw.copy()
    other[:, agent] = first[:, agent]
    return other
