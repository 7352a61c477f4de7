"""Selects the agents of a panel: leaves out those no better than chance or harmful to the panel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.notices import Caution
from doubleread.core.opinion import Abstention, Answer
from doubleread.core.types import Tensor3, Vector
from doubleread.orchestrator.course.policy import FREE_USD
from doubleread.orchestrator.learning.choice import FEWEST, FusionChoice
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.metrics import Gain, log_gain
from doubleread.orchestrator.simplex import shares, spoken

HARM = 2.0
"""Standard errors by which the panel must be better without an agent: the limit allows for several comparisons."""
Choose = Callable[[Tensor3], FusionChoice]
"""Selects and fits a fusion of opinions ``(n, agents, k)``, NaN for agents left out."""


@dataclass(frozen=True)
class Members:
    """The fusion of the remaining agents, those left out, and notes on the reasons."""

    chosen: FusionChoice
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    def without(self, silent: Mapping[str, Abstention]) -> Self:
        """Also leaves out agents that never answered; ``silent`` has the last answer of each."""
        new = {name: last for name, last in silent.items() if name not in self.left_out}
        notes = [_silence(name, last) for name, last in new.items()]
        return replace(self, left_out=(*self.left_out, *new), notes=(*self.notes, *notes))


def silent_agents(agents: Sequence[str], rows: Sequence[Sequence[Answer]]) -> dict[str, Abstention]:
    """Returns the last answer of each agent without an opinion in any row ``rows[case][agent]``."""
    found: dict[str, Abstention] = {}
    for i, name in enumerate(agents):
        said = [row[i] for row in rows if i < len(row)]
        silences = [one for one in said if isinstance(one, Abstention)]
        if silences and len(silences) == len(said):
            found[name] = silences[-1]
    return found


def _silence(name: str, last: Abstention) -> str:
    """The note on an agent that never answered; a warning unless the encoder explains it."""
    text = f"{name} is left out and not asked: it gave no answer on any calibration image ({last.detail or last.cause})"
    return text if last.cause == "no-text-encoder" else Caution(text)


def select(
    raw: Tensor3, sample: Sample, names: Sequence[str], referees: Sequence[str], usd: Vector, choose: Choose
) -> Members:
    """Leaves out agents by held-out log-loss, with standard errors (SE) clustered by group.

    1. An agent stays only if its calibrated opinions are better than the label frequencies by more than one SE.
    2. Of the rest, the agent without which the panel is better by most, and by more than ``HARM`` SE, is left out,
       repeatedly; but if some agents cost money (``usd`` per answer), the last free one stays, as it decides when to
       ask the others.
    3. A referee is added only if it improves the panel by more than one SE.

    With fewer than ``FEWEST`` cases of a label 1 and 2 are skipped.
    """
    here = np.asarray(spoken(raw).any(axis=0))
    kept = here & np.array([name not in referees for name in names])
    chosen, left_out, notes = choose(_only(raw, kept)), list[str](), list[str]()
    if int(np.bincount(sample.labels, minlength=raw.shape[2]).min()) >= FEWEST:
        chances = _over_chance(chosen, kept, sample)
        able = {i for i, gain in chances.items() if gain.clear}
        for i in sorted(set(chances) - able) if able else ():
            kept[i] = False
            left_out.append(names[i])
            notes.append(
                Caution(
                    f"{names[i]} is left out and not asked: on the calibration cases it is no better than chance "
                    f"(gain in log-loss over the label frequencies {chances[i].line})"
                )
            )
        chosen = choose(_only(raw, kept)) if left_out else chosen
        chosen, dropped = _without_harm(raw, sample, kept, usd, chosen, choose)
        left_out += [names[i] for i in dropped]
        notes += [
            Caution(
                f"{names[i]} is left out and not asked: the panel is better without it (gain in log-loss {gain.line})"
            )
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
    """Gain in held-out log-loss of each agent's calibrated opinions over the label frequencies."""
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
    """Returns the fusion without harmful agents, and these with their gains. Changes ``kept``."""
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
    """Opinions of the agents in ``kept`` except ``but``; NaN for the others."""
    here = kept.copy()
    if but is not None:
        here[but] = False
    return np.where(here[None, :, None], raw, np.nan)
