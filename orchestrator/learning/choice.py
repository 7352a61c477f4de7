"""Which calibrators and which fusion rule a panel gets: the most cautious, unless another is clearly better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.learning.assumed_prior import Assumed
from doubleread.orchestrator.learning.fusion_learning import Learned, fit_calibrator, learn_rules
from doubleread.orchestrator.metrics import FEWEST_GROUPS, Gain, log_gain
from doubleread.orchestrator.resampling import Fold, Groups, group_codes, grouped_folds
from doubleread.orchestrator.simplex import spoken

AUTO = "auto"
CALIBRATORS = ("temperature", "vector")
RULES = ("log-pool", "panel-mean")
"""What ``auto`` chooses from, the most cautious first; the others of the tables are to be asked for by name."""
FEWEST = 5
"""Cases of the rarest label below which nothing is chosen: the first of each is taken."""
Candidate = tuple[tuple[str, ...], str]
"""Calibrators, one an agent, and a fusion rule."""


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
    clustered by group; then the best of these. With fewer than ``FEWEST`` cases of a label or ``FEWEST_GROUPS`` groups
    it always is. An agent of unknown prior gets the calibrator with an intercept for each label where that alone is so
    much better. ``names`` are those of the agents, for the notes.
    """
    agents, assumed = raw.shape[1], assumed or (None,) * raw.shape[1]
    rules: tuple[str, ...] = RULES if rule == AUTO else (rule,)
    kinds: list[tuple[str, ...]] = [(CALIBRATORS[0] if calibrator == AUTO else calibrator,) * agents]
    notes: tuple[str, ...] = ()
    if AUTO in (rule, calibrator) and (few := _too_few(raw, y, groups)):
        rules, notes = rules[:1], (f"{few} cannot choose a fusion: {rules[0]} over {kinds[0][0]} is taken",)
    elif calibrator == AUTO:
        each, notes = _with_intercepts(raw, y, groups, assumed, names, folds, seed)
        kinds = list(dict.fromkeys((each, (CALIBRATORS[1],) * agents)))
    fits = {
        (kind, name): fit
        for kind in kinds
        for name, fit in learn_rules(
            raw, y, groups, prior, rules=rules, calibrator=kind, assumed=assumed, folds=folds, seed=seed
        ).items()
    }
    first, *others = fits
    gains = {other: log_gain(fits[first].held_out, fits[other].held_out, y, groups) for other in others}
    best = max((one for one in gains if gains[one].clear), key=lambda one: gains[one].mean, default=first)
    if gains:
        notes = (*notes, _note(best, first, gains))
    return Chosen(best[0], best[1], fits[best], notes)


def _too_few(raw: Tensor3, y: Labels, groups: Groups) -> str:
    """What there is too little of to choose anything; empty where there is enough."""
    cases, units = int(np.bincount(y, minlength=raw.shape[2]).min()), len(np.unique(group_codes(groups, len(y))))
    if cases < FEWEST:
        return f"{cases} cases of the rarest label"
    return f"{units} groups" if units < min(FEWEST_GROUPS, len(y)) else ""


def _note(best: Candidate, first: Candidate, gains: Mapping[Candidate, Gain]) -> str:
    def called(one: Candidate) -> str:
        return f"{one[1]} over {'/'.join(dict.fromkeys(one[0]))}"

    told = ", ".join(f"{called(one)} {gain.line}" for one, gain in gains.items())
    cautious = "the cautious choice; no other is clearly better"
    why = cautious if best == first else "clearly better than the cautious choice"
    return f"fusion: {called(best)}, {why} (gain in log-loss over {called(first)} with its standard error: {told})"


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
    kinds, notes = [CALIBRATORS[0]] * raw.shape[1], []
    codes = group_codes(groups, len(y))
    parts = grouped_folds(y, codes, folds, seed) if isinstance(folds, int) else folds
    for i, prior in enumerate(assumed):
        heard = spoken(raw[:, i])
        if prior is not None or not heard.any():
            continue
        plain, moved = (_cross_fitted(kind, raw[:, i], y, codes, parts) for kind in CALIBRATORS)
        gain = log_gain(plain[heard], moved[heard], y[heard], codes[heard])
        if gain.clear:
            kinds[i] = CALIBRATORS[1]
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
