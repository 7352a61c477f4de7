"""Learning when the agents that cost money are worth asking."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.core.types import Matrix, Tensor3
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.gates.further import Asked, mean_seconds, mean_usd
from doubleread.orchestrator.gates.gate import NEVER, Gate
from doubleread.orchestrator.learning.fusion_learning import Learned
from doubleread.orchestrator.metrics import log_gain, nll


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


def ask_more(asked: Asked, first: Tensor3, policy: Policy) -> More:
    """Learns when the agents that cost money are worth it; everyone is asked at once where the budget allows all.

    They are asked only where that clearly lowered the log-loss of the calibration cases it would be done on.
    """
    everyone = asked.chosen.learned.held_out
    usd = mean_usd(asked.first)
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
        price=policy.price(float(np.nansum(usd[dear])), mean_seconds(asked.first)[dear].max()),
        max_share=policy.ask_share,
    )
    opened = gate.open_on(local.held_out, asked.task)
    gain = log_gain(local.held_out[opened], everyone[opened], asked.labels[opened], asked.groups_of(opened))
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
    return More(posterior, heard, local, gate, (note, *_unpriced(unknown)))


def _unpriced(agents: Sequence[str]) -> tuple[str, ...]:
    """A note on agents whose worth cannot be weighed against their price."""
    return (f"price unknown, so only the share bounds how often it is asked: {', '.join(agents)}",) if agents else ()
