"""Out-of-distribution detection for single images.

Two signs count: a large distance to all stored cases, and unusual doubt of the agents, each relative to its own doubt
on held-out cases. Far images show by distance, near ones (an unknown label among known ones) by both.
"""

from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.types import Matrix, Tensor3, Vector
from doubleread.core.verdict import Unfamiliarity
from doubleread.orchestrator.conformal.exchangeable import Units, units_needed
from doubleread.orchestrator.metrics import FEWEST_GROUPS
from doubleread.orchestrator.ood._normal_scores import normal_scores, open_ended_scores
from doubleread.orchestrator.resampling import Groups, group_codes

ALARM_RATE = 0.02
"""Largest share of in-distribution cases that may raise an alarm, each a needless referral."""

LEVELS = (1.0, 0.75, 0.5, 0.25, 0.125)
"""Candidate levels, as shares of the alarm rate, if there are too few groups to guarantee that rate."""
_AT_ONCE = 2_000_000
"""Numbers that are ranked at the same time."""


class Familiarity(Record):
    """Signs of the held-out cases, against which new cases are compared.

    A new case joins them, all are scored alike, and the share that scores at least as high is its p-value (full
    conformal prediction, Vovk, Gammerman and Shafer 2005, section 2.2). A case exchangeable with the held-out ones, on
    which no agent was fitted, therefore raises an alarm with probability at most ``alarm_rate``, for any score. If
    groups are known, they are the units (see ``exchangeable``), and this holds for a case of a new group. With too few
    groups for that, the level is estimated by leaving out one group at a time: the highest of ``LEVELS`` at which the
    groups left out raise an alarm at a rate of at most ``alarm_rate``, including its standard error. With fewer than
    ``FEWEST_GROUPS`` it is 0: only cases beyond all held-out ones raise an alarm, for new groups at a rate up to
    ``1 / (G + 1)``.
    """

    alarm_rate: float
    nearness: tuple[float | None, ...]
    """Nearness of each held-out case to the stored ones; None without evidence."""
    doubt: tuple[tuple[float | None, ...], ...]
    """Entropy in nats of every agent's uncalibrated opinion on each held-out case; None for abstentions."""
    groups: tuple[str, ...] = ()
    """Group of each held-out case; empty if each is its own."""
    level: float | None = None
    """Share of held-out cases, with groups weighted alike, that may be as unusual as an alarm; None: ``alarm_rate``."""
    note: str = ""

    @classmethod
    def fit(cls, nearness: Vector, opinions: Tensor3, alarm_rate: float = ALARM_RATE, groups: Groups = None) -> Self:
        """Fits on held-out ``nearness`` ``(n,)`` and uncalibrated opinions ``(n, agents, k)``; NaN if missing."""
        n, needed, units = len(nearness), units_needed(1 - alarm_rate), Units.of(groups, len(nearness))
        note, level = "", None
        if n < needed:
            note = (
                f"no alarm for unfamiliar images: {n} held-out cases cannot promise that at most {alarm_rate:.0%} of "
                f"familiar ones raise it ({needed} are needed)"
            )
        elif units.count < needed:
            level = _level(near_and_doubt(nearness, doubts(opinions)), group_codes(groups, n), alarm_rate)
            which = (
                "judged by leaving out one group at a time, they do"
                if level
                else (f"images less familiar than every held-out case raise it, {units.own:.0%} at most")
            )
            note = (
                f"{units} cannot promise that at most {alarm_rate:.0%} of the cases of a new group raise the alarm for "
                f"unfamiliar images ({needed} groups are needed): {which}"
            )
        return cls(
            alarm_rate=alarm_rate,
            nearness=tuple(_or_none(nearness)),
            doubt=tuple(tuple(_or_none(row)) for row in doubts(opinions)),
            groups=tuple(map(str, group_codes(groups, n))) if units.grouped else (),
            level=level,
            note=note,
        )

    def judge(self, evidence: Evidence | None, opinions: Matrix) -> Unfamiliarity | None:
        """Tests a case by its evidence and its first, uncalibrated opinions ``(agents, k)``.

        Held-out cases are compared by the signs that this case has. An image with unusual properties of its own always
        raises the alarm. Returns None without any sign or held-out case.
        """
        judged, unusual = self._judged(evidence, opinions), () if evidence is None else evidence.unusual
        if not unusual:
            return judged
        judged = judged or Unfamiliarity(score=0.0, threshold=None, p_value=1.0, n=len(self.nearness))
        reasons = (*unusual, *([judged.reason] if judged.alarm else []))
        return judged.model_copy(update={"alarm": True, "reason": "; ".join(reasons)})

    def _judged(self, evidence: Evidence | None, opinions: Matrix) -> Unfamiliarity | None:
        near = np.array([nearness_of(evidence)])
        doubt = doubts(opinions[None])
        known, spoke = ~np.isnan(near), ~np.isnan(doubt)
        if not self.nearness or not (known.any() or spoke.any()):
            return None
        far, unsure = self._scores(near, doubt)
        scores, n = (far + unsure)[0], len(self.nearness)
        threshold = self._thresholds(scores[None])
        score, units = float(scores[-1]), self._units
        judged = Unfamiliarity(
            score=score,
            threshold=None if threshold is None else float(threshold[0]),
            p_value=min(1.0, float(units.own + units.weights @ (scores[:-1] >= score))),
            n=n,
            distance_z=float(far[0, -1]) if known.any() else None,
            doubt_z=float(unsure[0, -1]) if spoke.any() else None,
            alarm=threshold is not None and bool(score > threshold[0]),
        )
        return judged.model_copy(update={"reason": _reason(judged, evidence)})

    def alarms(self, nearness: Vector, opinions: Tensor3) -> NDArray[np.bool_]:
        """Whether each case raises the alarm of ``judge``, ``(n,)``.

        Takes nearness ``(n,)`` and first opinions ``(n, agents, k)``, NaN if missing.
        """
        found, doubt = np.zeros(len(nearness), dtype=bool), doubts(opinions)
        if not self.nearness:
            return found
        size = max(1, _AT_ONCE // (len(self.nearness) * opinions.shape[1]))
        for start in range(0, len(nearness), size):
            part = slice(start, start + size)
            far, unsure = self._scores(nearness[part], doubt[part])
            threshold = self._thresholds(far + unsure)
            if threshold is not None:
                found[part] = (far + unsure)[:, -1] > threshold
        return found & (~np.isnan(nearness) | ~np.isnan(doubt).all(axis=1))

    @cached_property
    def _held_out(self) -> tuple[Vector, Matrix]:
        return np.array(self.nearness, dtype=float), np.array(self.doubt, dtype=float)

    def _scores(self, near: Vector, doubt: Matrix) -> tuple[Matrix, Matrix]:
        """Distance and doubt scores of the held-out cases and, last, of each new one, ``(new, held-out + 1)``.

        All 0 if a new case lacks the sign.
        """
        their_near, their_doubt = self._held_out
        far = open_ended_scores(-np.column_stack([_each(their_near, len(near)), near]))
        everyone = np.concatenate([_each(their_doubt, len(near)), doubt[:, None]], axis=1)
        unsure = _doubt_scores(everyone, ~np.isnan(doubt))
        return np.where(np.isnan(near)[:, None], 0.0, far), unsure

    def _thresholds(self, scores: Matrix) -> Vector | None:
        """Score above which each alarm is raised, ``(new,)``; None with too few held-out cases."""
        units = self._units
        if len(self.nearness) < units_needed(1 - self.alarm_rate):
            return None
        order = np.argsort(-scores[:, :-1], axis=1)
        tails = np.cumsum(units.weights[order], axis=1)
        # the first p-value, in order of the held-out scores, that raises no alarm
        above = units.own + tails > self.alarm_rate if self.level is None else tails / (1 - units.own) > self.level
        first = (above & (tails > 1e-12)).argmax(axis=1)
        return np.take_along_axis(scores, np.take_along_axis(order, first[:, None], axis=1), axis=1)[:, 0]

    @cached_property
    def _units(self) -> Units:
        return Units.of(self.groups or None, len(self.nearness))


def near_and_doubt(nearness: Vector, doubt: Matrix) -> Vector:
    """Scores of held-out cases among themselves, ``(n,)``: distance plus doubt, as for a new case."""
    far = open_ended_scores(-nearness[None])[0]
    asked = np.asarray(~np.isnan(doubt).all(axis=0))
    return np.asarray(np.where(np.isnan(nearness), 0.0, far) + _doubt_scores(doubt[None], asked[None])[0])


def _level(scores: Vector, codes: NDArray[np.int64], alarm_rate: float) -> float:
    """Selects ``Familiarity.level``: compares each case with those of other groups, all equally weighted."""
    sizes = np.bincount(codes)
    if len(sizes) < FEWEST_GROUPS:
        return 0.0
    weights = 1 / ((len(sizes) - 1) * sizes[codes])
    unusual = scores[None] >= scores[:, None]
    tails = np.where(codes[:, None] == codes[None], 0.0, unusual * weights[None]).sum(axis=1)
    for level in alarm_rate * np.array(LEVELS):
        alarms = np.bincount(codes, tails <= level) / sizes  # of each group left out
        if alarms.mean() + alarms.std(ddof=1) / np.sqrt(len(alarms)) <= alarm_rate:
            return float(level)
    return 0.0


def nearness_of(evidence: Evidence | None) -> float:
    """Nearness of the stored cases to a case, hub-corrected if retrieval provides it; NaN without evidence."""
    if evidence is None or evidence.quality is None:
        return float("nan")
    quality = evidence.quality
    return quality.similarity if quality.nearness is None else quality.nearness


def doubts(opinions: Tensor3) -> Matrix:
    """Entropy in nats of opinions ``(n, agents, k)``, shape ``(n, agents)``; NaN if missing."""
    return np.asarray(entr(opinions).sum(axis=2))


def _doubt_scores(doubt: Tensor3, asked: NDArray[np.bool_]) -> Matrix:
    """Mean doubt of the agents ``asked``, ``(new, agents)``, each relative to its own; absent ones do not count.

    ``doubt`` is ``(new, cases, agents)``, the scores are ``(new, cases)``; 0 if no agent is asked.
    """
    own = np.moveaxis(normal_scores(np.moveaxis(doubt, 2, 1)), 1, 2)
    spoke = ~np.isnan(doubt) & asked[:, None]
    return normal_scores((own * spoke).sum(axis=2) / np.maximum(spoke.sum(axis=2), 1))


def _reason(judged: Unfamiliarity, evidence: Evidence | None) -> str:
    signs = []
    if judged.distance_z is not None and evidence is not None and evidence.quality is not None:
        signs.append(f"nearest case {evidence.quality.similarity:.2f} (distance z {judged.distance_z:.1f})")
    if judged.doubt_z is not None:
        signs.append(f"agents' doubt z {judged.doubt_z:.1f}")
    if judged.alarm:
        rarity = f"beyond the {judged.threshold:.1f} that hardly a familiar case passes"
        return f"unlike the calibration images: {', '.join(signs)}; together {judged.score:.1f}, {rarity}"
    return f"{judged.p_value:.0%} of the calibration images are at least as unusual: {', '.join(signs)}"


def _or_none(values: Vector) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]


def _each(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return np.broadcast_to(values, (n, *values.shape))
