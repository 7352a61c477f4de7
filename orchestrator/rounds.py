"""How what was said in one round or in two becomes one posterior.

The second look does not replace the first: either all answers of both rounds are fused at once, or each round is and
the verdict is their geometric mean; the calibration cases say which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Json, Matrix, Tensor3, Vector
from doubleread.orchestrator.learning import Learned
from doubleread.orchestrator.simplex import normalised, softmax, spoken

Pooling = Literal["answers", "rounds"]
"""``answers``: those of both rounds are fused at once; ``rounds``: each round is, then their geometric mean counts."""


@dataclass(frozen=True)
class SecondLook:
    """How the answers of a second look are fused with those of the first; see ``Pooling``."""

    pooling: Pooling
    learned: Learned

    def dump(self) -> Json:
        """As a JSON object."""
        return {"pooling": self.pooling, "learned": self.learned.dump()}

    @classmethod
    def load(cls, data: Json) -> "SecondLook":
        """The second look of ``dump``."""
        return cls(pooling=data["pooling"], learned=Learned.load(data["learned"]))


@dataclass(frozen=True)
class Fused:
    """One case's posterior, shape ``(k,)``, and by agent its share of it and its calibrated opinion, ``(k,)``."""

    posterior: Vector
    weights: dict[str, float]
    calibrated: dict[str, Vector]


def fuse_round(learned: Learned, agents: Sequence[str], raw: Matrix) -> Fused | None:
    """Opinions of one round, ``(agents, k)``, NaN where there is none; None where nobody gave any.

    An agent named twice fills two slots: its share is the sum of both, its opinion the later one.
    """
    calibrated = learned.calibrate(raw[None])
    spoke = spoken(calibrated[0])
    if not spoke.any():
        return None
    fused = learned.rule.fuse(calibrated)
    weights: dict[str, float] = {}
    for name, share in zip(agents, fused.weights[0].tolist(), strict=True):
        if share > 0:
            weights[name] = weights.get(name, 0.0) + share
    said = {name: row for name, row, here in zip(agents, calibrated[0], spoke, strict=True) if here}
    return Fused(fused.posterior[0], weights, said)


def fuse_both(learned: Learned, look: SecondLook, agents: Sequence[str], first: Matrix, again: Matrix) -> Fused | None:
    """Opinions of both rounds, ``(agents, k)`` each; ``learned`` fuses the first one. None where nobody gave any."""
    if look.pooling == "answers":
        return fuse_round(look.learned, [*agents, *agents], np.concatenate([first, again]))
    rounds = [fuse_round(learned, agents, first), fuse_round(look.learned, agents, latest(first, again))]
    found = [one for one in rounds if one is not None]
    return _mean(found) if found else None


def posteriors(learned: Learned, raw: Tensor3) -> Matrix:
    """Of many cases what ``fuse_round`` gives, ``(n, k)``; NaN where nobody spoke. Opinions are ``(n, agents, k)``."""
    calibrated = learned.calibrate(raw)
    heard = spoken(calibrated).any(axis=1, keepdims=True)
    return np.where(heard, learned.rule.fuse(calibrated).posterior, np.nan)


def posteriors_of_both(learned: Learned, look: SecondLook, first: Tensor3, again: Tensor3) -> Matrix:
    """Of many cases what ``fuse_both`` gives, ``(n, k)``; NaN where nobody spoke. Opinions are ``(n, agents, k)``."""
    if look.pooling == "answers":
        return posteriors(look.learned, np.concatenate([first, again], axis=1))
    before, after = posteriors(learned, first), posteriors(look.learned, latest(first, again))
    return combine([latest(after, before), latest(before, after)])


def latest(first: NDArray[np.float64], again: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each agent said last, of opinions ``(…, agents, k)`` in either round."""
    return np.where(np.isnan(again), first, again)


def combine(rounds: Sequence[Matrix]) -> Matrix:
    """The rounds' posteriors, each ``(cases, labels)``, as one: their normalised geometric mean."""
    return softmax(np.mean([np.log(normalised(posterior)) for posterior in rounds], axis=0))


def _mean(rounds: Sequence[Fused]) -> Fused:
    names = {name: None for one in rounds for name in one.weights}
    return Fused(
        combine([one.posterior[None] for one in rounds])[0],
        {name: float(np.mean([one.weights.get(name, 0.0) for one in rounds])) for name in names},
        {name: opinion for one in rounds for name, opinion in one.calibrated.items()},
    )
