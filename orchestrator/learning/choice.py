"""Selects calibrators and fusion rule: the most cautious ones, unless others are clearly better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.core.notices import Caution
from doubleread.core.types import Matrix, Tensor3
from doubleread.orchestrator.learning.fusion_learning import Learned, Sample, fit_calibrator, learn_rules
from doubleread.orchestrator.metrics import FEWEST_GROUPS, Gain, log_gain
from doubleread.orchestrator.simplex import spoken

AUTO = "auto"
CALIBRATORS = ("temperature", "vector")
RULES = ("log-pool", "panel-mean")
"""Candidates of ``auto``, most cautious first; others must be named in the settings."""
FEWEST = 5
"""Fewest cases of the rarest label for a selection; below it the first candidates are taken."""
Candidate = tuple[tuple[str, ...], str]
"""One calibrator per agent, and a fusion rule."""


@dataclass(frozen=True)
class FusionChoice:
    """The selected calibrators and rule, their fit, and notes for users."""

    calibrators: tuple[str, ...]
    """One per agent."""
    rule: str
    learned: Learned
    notes: tuple[str, ...] = ()


def choose(raw: Tensor3, sample: Sample, *, calibrator: str, rule: str, names: Sequence[str] = ()) -> FusionChoice:
    """Fits every candidate; ``auto`` stands for all candidates. Other arguments and errors as ``learn_rules``.

    The first candidate is taken unless others lower the cross-fitted log-loss by more than one standard error clustered
    by group; then the best of these is. With fewer than ``FEWEST`` cases of a label or ``FEWEST_GROUPS`` groups the
    first is always taken. An agent of unknown prior gets the calibrator with an intercept per label if that alone is
    clearly better. ``names`` of the agents are for the notes.
    """
    agents = raw.shape[1]
    rules: tuple[str, ...] = RULES if rule == AUTO else (rule,)
    kinds: list[tuple[str, ...]] = [(CALIBRATORS[0] if calibrator == AUTO else calibrator,) * agents]
    notes: tuple[str, ...] = ()
    if AUTO in (rule, calibrator) and (few := _too_few(raw, sample)):
        rules, notes = (
            rules[:1],
            (Caution(f"{few} are too few to choose a fusion rule: {rules[0]} over {kinds[0][0]} is used"),),
        )
    elif calibrator == AUTO:
        each, notes = _with_intercepts(raw, sample, names)
        kinds = list(dict.fromkeys((each, (CALIBRATORS[1],) * agents)))
    fits = {
        (kind, name): fit
        for kind in kinds
        for name, fit in learn_rules(raw, sample, rules=rules, calibrator=kind).items()
    }
    first, *others = fits
    before, y, groups = fits[first].held_out, sample.labels, sample.groups
    gains = {other: log_gain(before, fits[other].held_out, y, groups) for other in others}
    best = max((one for one in gains if gains[one].clear), key=lambda one: gains[one].mean, default=first)
    if gains:
        notes = (*notes, _note(best, first, gains))
    return FusionChoice(best[0], best[1], fits[best], notes)


def _too_few(raw: Tensor3, sample: Sample) -> str:
    """Which data are too few for a selection; empty if there are enough."""
    cases, units = int(np.bincount(sample.labels, minlength=raw.shape[2]).min()), len(np.unique(sample.codes))
    if cases < FEWEST:
        return f"{cases} cases of the rarest label"
    return f"{units} groups" if units < min(FEWEST_GROUPS, len(sample.labels)) else ""


def _note(best: Candidate, first: Candidate, gains: Mapping[Candidate, Gain]) -> str:
    def called(one: Candidate) -> str:
        return f"{one[1]} over {'/'.join(dict.fromkeys(one[0]))}"

    told = ", ".join(f"{called(one)} {gain.line}" for one, gain in gains.items())
    cautious = "the cautious choice, since no other was clearly better"
    why = cautious if best == first else "clearly better than the cautious choice"
    return f"fusion: {called(best)}, {why} (gain in log-loss over {called(first)} with its standard error: {told})"


def _with_intercepts(raw: Tensor3, sample: Sample, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Each agent's calibrator, and notes: with intercepts if its prior is unknown and they are clearly better."""
    kinds, notes = [CALIBRATORS[0]] * raw.shape[1], []
    y, codes = sample.labels, sample.codes
    for i, prior in enumerate(sample.assumed_by(raw.shape[1])):
        heard = spoken(raw[:, i])
        if prior is not None or not heard.any():
            continue
        plain, moved = (cross_fitted(kind, raw[:, i], sample) for kind in CALIBRATORS)
        gain = log_gain(plain[heard], moved[heard], y[heard], codes[heard])
        if gain.clear:
            kinds[i] = CALIBRATORS[1]
            notes.append(
                f"{names[i] if names else f'agent {i}'}: corrected for how often it names each label "
                f"(gain in log-loss {gain.line})"
            )
    return tuple(kinds), tuple(notes)


def cross_fitted(kind: str, P: Matrix, sample: Sample) -> Matrix:
    """Cross-fitted calibrated opinions of one agent; uncalibrated if it is silent in training."""
    found = P.copy()
    for train, test in sample.parts:
        calibrator = fit_calibrator(kind, P[train], sample.labels[train], sample.codes[train])
        if calibrator is not None:
            found[test] = calibrator.apply(P[test])
    return found
