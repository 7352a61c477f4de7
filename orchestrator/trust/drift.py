"""Drift detection: tests whether confirmed outcomes still agree with an agent's trust profile.

Every outcome is a bet against the hypothesis of no change. The wealth of a gambler who starts with 1 and plays fair
games ever exceeds ``1 / alpha`` with probability at most ``alpha`` (Ville 1939). The test may therefore be evaluated
after every outcome, without limit, and stopped at any time (Waudby-Smith and Ramdas 2024; Ramdas, Grünwald, Vovk and
Shafer 2023; for forecasts Arnold, Henzi and Ziegel 2023).

The bets are likelihood ratios of a shift of the log-odds. The wealth is spread over several shifts and possible starts
of the drift: an average of fair games is a fair game, and a long good record does not hide a recent drift.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logit, logsumexp

from doubleread.core.base import Record
from doubleread.core.types import Json, Vector
from doubleread.orchestrator.metrics import CLIP, Flags, wilson

ALPHA = 0.01
"""Probability that a panel ever raises a false alarm."""
SHIFTS = (0.5, 1.0, 2.0)
"""Tested shifts of the log-odds: 0.5 takes 90 % to 85 %, 2 takes it to 55 %."""
Z = 1.96

Kind = Literal["calibration", "accuracy"]
Direction = Literal["over-confident", "under-confident", "less accurate"]


class Drift(Record):
    """Drift test of one agent, or of the panel, after ``n`` outcomes.

    ``e_value`` is the maximum wealth from a stake of 1; an alarm persists once it reached ``threshold``. ``since``
    estimates when the drift began; set with an alarm only.
    """

    agent: str
    kind: Kind
    direction: Direction
    e_value: float
    threshold: float
    n: int
    alarm: bool
    since: datetime | None = None
    note: str = ""


@dataclass(frozen=True)
class Baseline:
    """What the calibration cases show of an agent, and how precisely.

    ``slack`` is the shift of the log-odds that they cannot distinguish from 0: 1.96 standard errors of an intercept
    (Cox 1958), with a group counted as one case. ``accuracy_low`` is the lower end of the Wilson interval of the
    accuracy, with groups counted likewise.
    """

    slack: float
    accuracy_low: float

    @classmethod
    def of(cls, confidence: Vector, correct: Flags, groups: int) -> "Baseline":
        """Computed from held-out confidences and their correctness, shapes ``(n,)``, and the number of groups."""
        information = groups * float(np.mean(confidence * (1 - confidence)))
        low = wilson(round(float(correct.mean()) * groups), groups).low
        return cls(slack=Z / np.sqrt(max(information, CLIP)), accuracy_low=max(low, CLIP))


@dataclass(frozen=True)
class Stream:
    """Outcomes of one agent in order of time, shapes ``(n,)``; ``fair`` marks cases that were not selected."""

    confidence: Vector
    correct: Flags
    times: Sequence[datetime]
    fair: Flags


def told(drift: Drift) -> str:
    """Describes an alarm and its evidence in one sentence."""
    since = f" since about {drift.since:%Y-%m-%d}" if drift.since else ""
    seen = f"{drift.n} outcomes: {drift.note}; e = {drift.e_value:.2g}, alarm at {drift.threshold:,.0f}"
    return f"drift: {drift.agent} has become {drift.direction}{since} ({seen})"


def warning_of(alarms: Sequence[Drift]) -> str:
    """Describes all alarms in one short sentence for every verdict."""
    who = ", ".join(dict.fromkeys(alarm.agent for alarm in alarms))
    how = ", ".join(dict.fromkeys(alarm.direction for alarm in alarms))
    return f"trust is out of date: outcomes show drift of {who} ({how}); see `doubleread trust show`"


def watch(agent: str, baseline: Baseline, stream: Stream, threshold: float) -> tuple[Drift, ...]:
    """Tests calibration on all outcomes and accuracy on fair ones; skips tests without outcomes.

    Calibration: each case is right with the stated (calibrated) probability, up to the baseline's slack. This concerns
    every case given its score, so selected cases may be used too. Accuracy: each case is right with probability at
    least ``accuracy_low``.
    """
    found = []
    if len(stream.correct):
        found.append(_calibration(agent, baseline, stream, threshold))
    if stream.fair.any():
        found.append(_accuracy(agent, baseline, stream, threshold))
    return tuple(found)


def log_evidence(null: Vector, correct: Flags, shifts: Sequence[float]) -> "BettingRecord":
    """Bets on shifts of the log-odds, all of one sign, against ``null``, the probabilities of being right.

    For negative shifts the wealth is a supermartingale even if the true probabilities exceed ``null``; for positive
    shifts if they are lower. Shapes ``(n,)``.
    """
    p = np.clip(null, CLIP, 1 - CLIP)
    odds = logit(p)[:, None] + np.array(shifts)
    bets = np.where(correct[:, None], log_expit(odds) - np.log(p)[:, None], log_expit(-odds) - np.log1p(-p)[:, None])
    total = np.cumsum(bets, axis=0)
    waiting = 1 / (1 + np.log1p(np.arange(len(p) + 1)))  # share of the wealth not yet placed on a start
    placed = np.log(-np.diff(waiting))[:, None] - (total - bets)
    by_shift = total + np.logaddexp.accumulate(placed, axis=0)
    wealth = np.logaddexp(logsumexp(by_shift, axis=1) - np.log(len(shifts)), np.log(waiting[1:]))
    return BettingRecord(wealth, placed, by_shift)


@dataclass(frozen=True)
class BettingRecord:
    """``log_wealth``, ``(n,)``: wealth after each case; ``placed``, ``(n, shifts)``: by start of the drift."""

    log_wealth: Vector
    placed: NDArray[np.float64]
    by_shift: NDArray[np.float64]

    def began(self, at: int) -> int:
        """The most probable first case of the drift seen after case ``at``."""
        best = int(self.by_shift[at].argmax())
        return int(self.placed[: at + 1, best].argmax())


def _calibration(agent: str, baseline: Baseline, stream: Stream, threshold: float) -> Drift:
    odds = logit(np.clip(stream.confidence, CLIP, 1 - CLIP))
    over = log_evidence(_share(odds - baseline.slack), stream.correct, [-s for s in SHIFTS])
    under = log_evidence(_share(odds + baseline.slack), stream.correct, SHIFTS)
    wealth = np.logaddexp(over.log_wealth, under.log_wealth) - np.log(2)
    at = int(wealth.argmax())
    leads = over.log_wealth[at] >= under.log_wealth[at]
    stated, right = float(stream.confidence.mean()), float(stream.correct.mean())
    return Drift(
        agent=agent,
        kind="calibration",
        direction="over-confident" if leads else "under-confident",
        threshold=threshold,
        note=f"stated {stated:.0%} on average, right on {right:.0%}",
        **_seen(wealth, over if leads else under, stream.times, threshold),
    )


def _accuracy(agent: str, baseline: Baseline, stream: Stream, threshold: float) -> Drift:
    correct = stream.correct[stream.fair]
    times = [time for time, fair in zip(stream.times, stream.fair, strict=True) if fair]
    found = log_evidence(np.full(len(correct), baseline.accuracy_low), correct, [-s for s in SHIFTS])
    return Drift(
        agent=agent,
        kind="accuracy",
        direction="less accurate",
        threshold=threshold,
        note=f"right on {correct.mean():.0%}, trusted for {baseline.accuracy_low:.0%} or more",
        **_seen(found.log_wealth, found, times, threshold),
    )


def _seen(log_wealth: Vector, found: BettingRecord, times: Sequence[datetime], threshold: float) -> Json:
    at = int(log_wealth.argmax())
    alarm = bool(log_wealth[at] >= np.log(threshold))
    return {
        "e_value": float(np.exp(min(log_wealth[at], 700.0))),  # the float range ends shortly above
        "n": len(times),
        "alarm": alarm,
        "since": times[found.began(at)] if alarm else None,
    }


def _share(odds: Vector) -> Vector:
    return np.asarray(np.exp(log_expit(odds)))
