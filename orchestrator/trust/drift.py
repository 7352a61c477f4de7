"""Drift: do confirmed outcomes still agree with what an agent is trusted for?

Every outcome is a bet against the claim that nothing has changed. The wealth of a gambler who starts with 1 and plays
fair games exceeds ``1 / alpha`` ever with probability ``alpha`` at the most (Ville 1939), so one may look after every
outcome, for as long as one likes, and stop whenever one wants (Waudby-Smith and Ramdas 2024; Ramdas, Grünwald, Vovk
and Shafer 2023; for forecasts Arnold, Henzi and Ziegel 2023).

The bets are likelihood ratios of a shift of the log-odds. The wealth is spread over several shifts, and over the
cases at which the drift may have begun: an average of fair games is a fair game, and a long good past does not hide
a bad present.
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
"""Probability that any alarm of a panel is ever false."""
SHIFTS = (0.5, 1.0, 2.0)
"""Shifts of the log-odds that are bet on: 0.5 takes 90 % to 85 %, 2 takes it to 55 %."""
Z = 1.96

Kind = Literal["calibration", "accuracy"]
Direction = Literal["over-confident", "under-confident", "less accurate"]


class Drift(Record):
    """What the outcomes say of one agent, or of the panel, after ``n`` of them.

    ``e_value`` is the most that betting against it has ever made of 1; an alarm stands once it reached ``threshold``.
    ``since`` is about when the drift began; set with an alarm only.
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
    """What calibration cases say of an agent, and how closely they could say it.

    ``slack`` is the shift of the log-odds that the calibration cases could not have told from none: 1.96 standard
    errors of an intercept (Cox 1958), a group counted as one case. ``accuracy_low`` is the lower end of the Wilson
    interval of the accuracy, groups counted likewise.
    """

    slack: float
    accuracy_low: float

    @classmethod
    def of(cls, confidence: Vector, correct: Flags, groups: int) -> "Baseline":
        """From held-out confidences and whether they were right, shapes ``(n,)``, of so many groups."""
        information = groups * float(np.mean(confidence * (1 - confidence)))
        low = wilson(round(float(correct.mean()) * groups), groups).low
        return cls(slack=Z / np.sqrt(max(information, CLIP)), accuracy_low=max(low, CLIP))


@dataclass(frozen=True)
class Stream:
    """Outcomes of one agent in order of time; shapes ``(n,)``. ``fair`` are those of cases that were not selected."""

    confidence: Vector
    correct: Flags
    times: Sequence[datetime]
    fair: Flags


def told(drift: Drift) -> str:
    """What was seen, in a sentence, with the evidence for it."""
    since = f" since about {drift.since:%Y-%m-%d}" if drift.since else ""
    seen = f"{drift.n} outcomes: {drift.note}; e = {drift.e_value:.2g}, alarm at {drift.threshold:,.0f}"
    return f"drift: {drift.agent} has become {drift.direction}{since} ({seen})"


def warning_of(alarms: Sequence[Drift]) -> str:
    """All alarms in one short sentence, for every verdict to carry."""
    who = ", ".join(dict.fromkeys(alarm.agent for alarm in alarms))
    how = ", ".join(dict.fromkeys(alarm.direction for alarm in alarms))
    return f"trust is out of date: outcomes show drift of {who} ({how}); see `doubleread trust show`"


def watch(agent: str, baseline: Baseline, stream: Stream, threshold: float) -> tuple[Drift, ...]:
    """Tests calibration on all outcomes and accuracy on fair ones; nothing where there are none.

    Calibration: each case is right with the stated (calibrated) probability, up to the baseline's slack. It is a claim
    about every case given its score, so it may be tested on selected cases too. Accuracy: each case is right with at
    least the probability ``accuracy_low``.
    """
    found = []
    if len(stream.correct):
        found.append(_calibration(agent, baseline, stream, threshold))
    if stream.fair.any():
        found.append(_accuracy(agent, baseline, stream, threshold))
    return tuple(found)


def log_evidence(null: Vector, correct: Flags, shifts: Sequence[float]) -> "BettingRecord":
    """Bets on shifts of the log-odds, all of one sign, against ``null``, the probabilities of being right.

    For negative shifts the wealth is a supermartingale also where the true probabilities are higher than ``null``, and
    the other way round. Shapes ``(n,)``.
    """
    p = np.clip(null, CLIP, 1 - CLIP)
    odds = logit(p)[:, None] + np.array(shifts)
    bets = np.where(correct[:, None], log_expit(odds) - np.log(p)[:, None], log_expit(-odds) - np.log1p(-p)[:, None])
    total = np.cumsum(bets, axis=0)
    waiting = 1 / (1 + np.log1p(np.arange(len(p) + 1)))  # share of the wealth that still waits for a drift to begin
    placed = np.log(-np.diff(waiting))[:, None] - (total - bets)
    by_shift = total + np.logaddexp.accumulate(placed, axis=0)
    wealth = np.logaddexp(logsumexp(by_shift, axis=1) - np.log(len(shifts)), np.log(waiting[1:]))
    return BettingRecord(wealth, placed, by_shift)


@dataclass(frozen=True)
class BettingRecord:
    """``log_wealth``, ``(n,)``: of the gambler after each case; ``placed``, ``(n, shifts)``: by case of beginning."""

    log_wealth: Vector
    placed: NDArray[np.float64]
    by_shift: NDArray[np.float64]

    def began(self, at: int) -> int:
        """The case at which the drift seen after case ``at`` most probably began."""
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
    """How much betting made, whether that is an alarm, and since when."""
    at = int(log_wealth.argmax())
    alarm = bool(log_wealth[at] >= np.log(threshold))
    return {
        "e_value": float(np.exp(min(log_wealth[at], 700.0))),  # more than that is no float
        "n": len(times),
        "alarm": alarm,
        "since": times[found.began(at)] if alarm else None,
    }


def _share(odds: Vector) -> Vector:
    return np.asarray(np.exp(log_expit(odds)))
