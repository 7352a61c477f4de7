"""Which calibrators and which fusion rule a panel gets: the most cautious, unless another is clearly better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.assumed_prior import Assumed
from doubleread.orchestrator.learning import Groups, Learned, fit_calibrator, learn_rules
from doubleread.orchestrator.metrics import Gain, log_gain
from doubleread.orchestrator.resampling import Fold, group_codes, grouped_folds
from doubleread.orchestrator.simplex import spoken

AUTO = "auto"
CALIBRATOR = "temperature"
RULES = ("log-pool", "panel-mean")
"""What ``auto`` chooses from, the most cautious first; the others of the tables are to be asked for by name."""
WITH_INTERCEPT = "vector"
"""A calibrator with an intercept for each label, shrunken to 0: for agents of unknown prior, where clearly better."""
FEWEST = 5
"""Cases of the rarest label below which nothing is chosen: the first of each is taken."""


@dataclass(frozen=True)
class Chosen:
    """What was chosen, how it was fitted, and notes for people; there are none without a choice."""

    calibrators: tuple[str, ...]
    """One an agent."""
    rule: str
    learned: Learned
    notes: tuple[str, ...] = ()


def choose(
    raw: Tensor3,
    y: Labels,
    groups: Groups,
    prior: Vector | None,
    *,
    calibrator: str,
    rule: str,
    assumed: Assumed | None = None,
    names: Sequence[str] = (),
    folds: int | Sequence[Fold],
    seed: int,
) -> Chosen:
    """Fits every candidate; ``auto`` opens a name to its candidates. Arguments and errors as ``learn_rules``.

    The first candidate is taken, unless others' cross-fitted log-loss is lower by more than one standard error
    clustered by group; then the best of these. ``names`` are those of the agents, for the notes.
    """
    assumed, kinds = assumed or (None,) * raw.shape[1], (calibrator,) * raw.shape[1]
    rules: tuple[str, ...] = RULES if rule == AUTO else (rule,)
    notes: tuple[str, ...] = ()
    few = int(np.bincount(y, minlength=raw.shape[2]).min())
    if calibrator == AUTO:
        kinds = (CALIBRATOR,) * raw.shape[1]
    if calibrator == AUTO and few >= FEWEST:
        kinds, notes = _with_intercepts(raw, y, groups, assumed, names, folds, seed)
    if len(rules) > 1 and few < FEWEST:
        rules, notes = rules[:1], (f"{few} cases of the rarest label cannot choose a fusion: {rules[0]} is taken",)
    fits = learn_rules(raw, y, groups, prior, rules=rules, calibrator=kinds, assumed=assumed, folds=folds, seed=seed)
    first, *others = rules
    gains = {other: log_gain(fits[first].held_out, fits[other].held_out, y, groups) for other in others}
    best = max((name for name in gains if gains[name].clear), key=lambda name: gains[name].mean, default=first)
    if gains:
        notes = (*notes, _note(best, first, gains))
    return Chosen(kinds, best, fits[best], notes)


def _note(best: str, first: str, gains: Mapping[str, Gain]) -> str:
    told = ", ".join(f"{name} {gain.line}" for name, gain in gains.items())
    why = (
        "clearly better than the cautious choice"
        if best != first
        else "the cautious choice; no other is clearly better"
    )
    return f"fusion: {best}, {why} (gain in log-loss over {first} with its standard error over groups: {told})"


def _with_intercepts(
    raw: Tensor3,
    y: Labels,
    groups: Groups,
    assumed: Assumed,
    names: Sequence[str],
    folds: int | Sequence[Fold],
    seed: int,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Each agent's calibrator, and notes: with an intercept where its prior is unknown and that is clearly better."""
    kinds, notes = [CALIBRATOR] * raw.shape[1], []
    codes = group_codes(groups, len(y))
    parts = grouped_folds(y, codes, folds, seed) if isinstance(folds, int) else folds
    for i, prior in enumerate(assumed):
        heard = spoken(raw[:, i])
        if prior is not None or not heard.any():
            continue
        plain, moved = (_cross_fitted(kind, raw[:, i], y, codes, parts) for kind in (CALIBRATOR, WITH_INTERCEPT))
        gain = log_gain(plain[heard], moved[heard], y[heard], codes[heard])
        if gain.clear:
            kinds[i] = WITH_INTERCEPT
            notes.append(
                f"{names[i] if names else f'agent {i}'}: how often it names each label is corrected "
                f"(gain in log-loss {gain.line})"
            )
    return tuple(kinds), tuple(notes)


def _cross_fitted(kind: str, P: Matrix, y: Labels, codes: NDArray[np.int64], parts: Sequence[Fold]) -> Matrix:
    """One agent's opinions, calibrated by fits that had not seen them; uncalibrated where it is silent in training."""
    found = P.copy()
    for train, test in parts:
        calibrator = fit_calibrator(kind, P[train], y[train], codes[train])
        if calibrator is not None:
            found[test] = calibrator.apply(P[test])
    return found
