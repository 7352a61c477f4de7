"""Who reads on the panel: an agent that is no better than chance, or that makes the panel worse, is left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Tensor3, Vector
from doubleread.orchestrator.course.policy import FREE_USD
from doubleread.orchestrator.learning.choice import FEWEST, FusionChoice
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.metrics import Gain, log_gain
from doubleread.orchestrator.simplex import shares, spoken

HARM = 2.0
"""Standard errors by which the panel must be better without an agent: of several agents one is easily unlucky."""
Choose = Callable[[Tensor3], FusionChoice]
"""Chooses and fits a fusion of opinions ``(n, agents, k)``, NaN where an agent is left out."""


@dataclass(frozen=True)
class Members:
    """The fusion of those who read, who was left out, and notes on why."""

    chosen: FusionChoice
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def select(
    raw: Tensor3, sample: Sample, names: Sequence[str], referees: Sequence[str], usd: Vector, choose: Choose
) -> Members:
    """Leaves out agents by held-out log-loss, differences being told by their standard errors clustered by group.

    1. An agent stays only where its calibrated opinions are better than the label frequencies alone by more than one.
    2. Of the rest, the one without which the panel is better by most, and by more than ``HARM`` of them, is left out,
       again and again; but where some agents cost money (``usd`` an answer), the last that is free stays: it tells when
       to ask the others.
    3. A referee joins only where the panel is better with it by more than one.

    With fewer than ``FEWEST`` cases of a label 1 and 2 cannot be told and everyone stays.
    """
    here = np.asarray(spoken(raw).any(axis=0))
    kept = here & np.array([name not in referees for name in names])
    chosen, left_out, notes = choose(_only(raw, kept)), [], []
    if int(np.bincount(sample.labels, minlength=raw.shape[2]).min()) >= FEWEST:
        chances = _over_chance(chosen, kept, sample)
        able = {i for i, gain in chances.items() if gain.clear}
        for i in sorted(set(chances) - able) if able else ():
            kept[i] = False
            left_out.append(names[i])
            notes.append(
                f"{names[i]} is left out and not asked: on the calibration cases it is no better than chance "
                f"(gain in log-loss over the label frequencies {chances[i].line})"
            )
        chosen = choose(_only(raw, kept)) if left_out else chosen
        chosen, dropped = _without_harm(raw, sample, kept, usd, chosen, choose)
        left_out += [names[i] for i in dropped]
        notes += [
            f"{names[i]} is left out and not asked: the panel is better without it (gain in log-loss {gain.line})"
            for i, gain in dropped.items()
        ]
    for i, name in enumerate(names):
        if name in referees and here[i]:
            kept[i] = True
            candidate = choose(_only(raw, kept))
            gain = _gain(chosen, candidate, sample)
            kept[i] = gain.clear
            chosen = candidate if gain.clear else chosen
        if name in referees and not kept[i]:
            left_out.append(name)
            notes.append(f"referee {name} left out: it did not clearly lower the log-loss of the calibration cases")
    return Members(chosen, tuple(name for name in names if name in left_out), tuple(notes))


def _over_chance(chosen: FusionChoice, kept: NDArray[np.bool_], sample: Sample) -> dict[int, Gain]:
    """How far each agent's held-out log-loss, calibrated, lies below that of the label frequencies."""
    calibrated, y, codes = chosen.learned.held_out_calibrated, sample.labels, sample.codes
    plain = np.full((len(y), calibrated.shape[2]), np.nan)
    for train, test in sample.divided(sample.groups):
        plain[test] = shares(y[train], plain.shape[1])
    found = {}
    for i in np.flatnonzero(kept).tolist():
        heard = spoken(calibrated[:, i])
        found[i] = log_gain(plain[heard], calibrated[heard, i], y[heard], codes[heard])
    return found


def _without_harm(
    raw: Tensor3, sample: Sample, kept: NDArray[np.bool_], usd: Vector, chosen: FusionChoice, choose: Choose
) -> tuple[FusionChoice, dict[int, Gain]]:
    """The fusion without the agents that make it worse, and these, each with the gain. Changes ``kept``."""
    dropped: dict[int, Gain] = {}
    while kept.sum() > 1:
        without = {i: choose(_only(raw, kept, but=i)) for i in np.flatnonzero(kept).tolist()}
        gains = {i: _gain(chosen, one, sample) for i, one in without.items()}
        free = kept & (usd <= FREE_USD)
        last = set(np.flatnonzero(free).tolist()) if free.sum() == 1 else set()
        clear = [i for i in gains if gains[i].beyond(HARM) and i not in last]
        if not clear:
            break
        worst = max(clear, key=lambda i: gains[i].mean)
        kept[worst], dropped[worst], chosen = False, gains[worst], without[worst]
    return chosen, dropped


def _gain(before: FusionChoice, after: FusionChoice, sample: Sample) -> Gain:
    return log_gain(before.learned.held_out, after.learned.held_out, sample.labels, sample.groups)


def _only(raw: Tensor3, kept: NDArray[np.bool_], but: int | None = None) -> Tensor3:
    """The opinions of those kept, without one of them where ``but`` names it; NaN for the others."""
    here = kept.copy()
    if but is not None:
        here[but] = False
    return np.where(here[None, :, None], raw, np.nan)
