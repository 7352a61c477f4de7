"""Which calibrator and fusion rule a panel gets: the pair with the least cross-fitted log-loss on its own cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Labels, Tensor3, Vector
from doubleread.orchestrator.learning import Learned, learn_rules
from doubleread.orchestrator.metrics import nll
from doubleread.orchestrator.resampling import Fold

AUTO = "auto"
CALIBRATORS = ("temperature", "vector")
RULES = ("panel-mean", "log-pool")
"""What ``auto`` chooses from, the most cautious first; the others of the tables are to be asked for by name."""
FEWEST = 5
"""Cases of the rarest label below which nothing is chosen: the first of each is taken."""


@dataclass(frozen=True)
class Chosen:
    """The best of the candidates, how it was fitted, and a note for people; the note is empty without a choice."""

    calibrator: str
    rule: str
    learned: Learned
    note: str = ""


def choose(
    raw: Tensor3,
    y: Labels,
    groups: Sequence[str | None] | NDArray[np.generic] | None,
    prior: Vector | None,
    *,
    calibrator: str,
    rule: str,
    folds: int | Sequence[Fold],
    seed: int,
) -> Chosen:
    """Fits every candidate; ``auto`` opens a name to its candidates. Arguments and errors as ``learn``.

    The rule was fixed before it was judged: the least cross-fitted log-loss wins, the earlier candidate in a tie.
    Source: the discrete super learner (van der Laan, Polley and Hubbard 2007).
    """
    calibrators = CALIBRATORS if calibrator == AUTO else (calibrator,)
    rules = RULES if rule == AUTO else (rule,)
    few = int(np.bincount(y, minlength=raw.shape[2]).min())
    pairs = list(product(calibrators, rules))
    note = ""
    if len(pairs) > 1 and few < FEWEST:
        pairs, note = pairs[:1], f"{few} cases of the rarest label cannot choose a fusion: {pairs[0][1]} is taken"
    fits = {
        (c, r): fit
        for c in dict.fromkeys(c for c, _ in pairs)
        for r, fit in learn_rules(
            raw, y, groups, prior, rules=[r for k, r in pairs if k == c], calibrator=c, folds=folds, seed=seed
        ).items()
    }
    losses = {pair: nll(fit.held_out, y) for pair, fit in fits.items()}
    best = min(pairs, key=lambda pair: losses[pair])
    if len(pairs) > 1:
        others = ", ".join(f"{r} over {c} {losses[c, r]:.3f}" for c, r in pairs if (c, r) != best)
        note = f"fusion: {best[1]} over {best[0]}, cross-fitted log-loss {losses[best]:.3f} ({others})"
    return Chosen(best[0], best[1], fits[best], note)
