"""Label shares of an unlabelled batch: an estimate with intervals, or the reason why there is none."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.reading import Outcome, Reading
from doubleread.core.task import Task
from doubleread.core.verdict import Unread, Verdict
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.metrics import wilson
from doubleread.orchestrator.prevalence._label_shift import DRAWS, Outputs, label_shares
from doubleread.orchestrator.prevalence.prior_shift import prior_in_force

FEWEST_IMAGES = 20
FEWEST_GROUPS = 5
"""Fewest groups of held-out cases per label: fewer do not show how the panel reads it."""
LEVEL = 0.02
"""Largest share of batches with a pure label shift that are refused."""
MOST_ALARMS = 2.0
"""Factor by which alarms may exceed their guaranteed rate before the batch counts as out-of-distribution."""


class LabelShare(Record):
    """One label's share of the batch with its 95 % interval, and the share that the panel assumes."""

    label: str
    share: float
    low: float
    high: float
    now: float


class BatchPrevalence(Record):
    """Label shares of a batch. ``refused`` is the reason if there are none; then ``labels`` is empty."""

    images: int
    """Number of images in the estimate."""
    labels: tuple[LabelShare, ...] = ()
    refused: str = ""
    p_value: float | None = None
    """p-value of the hypothesis that only the label shares have changed."""
    alarms: int = 0
    """Images that raise the out-of-distribution alarm."""
    held_out: int
    """Number of held-out cases that the batch is compared with."""
    unread: tuple[Unread, ...] = ()
    learned_from: int = 0
    """Images left out because the panel was fitted or calibrated on them."""
    silent: int = 0
    """Images left out because no agent gave an opinion."""

    @property
    def shares(self) -> dict[str, float]:
        """The estimate by label, for ``Panel.what_if`` or a task's ``prior``; empty if refused."""
        return {one.label: one.share for one in self.labels}

    @property
    def line(self) -> str:
        """The result in one sentence, about the label whose share differs most from the assumed one."""
        if self.refused:
            return f"No estimate for these {self.images:,} images: {self.refused}."
        one = max(self.labels, key=lambda label: abs(label.share - label.now))
        digits = 0 if one.high - one.low >= 0.02 else 1
        share, low, high, now = (f"{100 * value:.{digits}f}" for value in (one.share, one.low, one.high, one.now))
        return (
            f"About {share} % ({low} to {high} %) of these {self.images:,} images are {one.label}; "
            f"the panel assumes {now} %."
        )

    @property
    def changed(self) -> bool:
        """Whether some label's interval excludes the share that the panel assumes."""
        return any(not one.low <= one.now <= one.high for one in self.labels)


def batch_prevalence(
    arbiter: Arbiter,
    rows: Sequence[Reading],
    verdicts: Iterable[Verdict | Unread],
    *,
    learned_from: int = 0,
    draws: int = DRAWS,
    seed: int = 0,
) -> BatchPrevalence:
    """Estimates the label shares of the images in ``verdicts``; changes nothing.

    ``rows`` are the readings that the arbiter was fitted on, in order. Outcomes of selected cases are ignored, as they
    are no random sample of their label. Raises ``DataError`` if ``rows`` do not belong to the arbiter.
    """
    if len(rows) != len(arbiter.held_out.posterior):
        raise DataError(
            f"{len(rows)} readings for {len(arbiter.held_out.posterior)} held-out cases: give those that the arbiter "
            "was learned from"
        )
    sampled = [i for i, row in enumerate(rows) if not (isinstance(row, Outcome) and row.sampling == "selected")]
    kept = [rows[i] for i in sampled]
    every = list(verdicts)
    read = [one for one in every if isinstance(one, Verdict)]
    told = [(one, said) for one in read if (said := one.scores)]
    found = BatchPrevalence(
        images=len(told),
        alarms=sum(one.familiarity is not None and one.familiarity.alarm for one, _ in told),
        held_out=len(kept),
        unread=tuple(one for one in every if isinstance(one, Unread)),
        learned_from=learned_from,
        silent=len(read) - len(told),
    )
    if refused := _too_little(arbiter.task, kept, found) or _unfamiliar(arbiter, found):
        return found.model_copy(update={"refused": refused})
    names, now = arbiter.task.names, prior_in_force(arbiter)
    posterior = np.array([[said[name] for name in names] for _, said in told])
    shares = label_shares(
        Outputs.of(arbiter.held_out.posterior[sampled], [row.group for row in kept]),
        np.array([arbiter.task.index(row.label) for row in kept], dtype=np.int64),
        Outputs.of(posterior, [one.case.group for one, _ in told]),
        now,
        draws=draws,
        seed=seed,
    )
    if shares.p_value < LEVEL:
        return found.model_copy(update={"refused": _not_labels_alone(shares.p_value), "p_value": shares.p_value})
    columns = zip(names, shares.estimate.tolist(), shares.low.tolist(), shares.high.tolist(), now.tolist(), strict=True)
    labels = tuple(LabelShare(label=n, share=s, low=low, high=high, now=p) for n, s, low, high, p in columns)
    return found.model_copy(update={"labels": labels, "p_value": shares.p_value})


def _too_little(task: Task, rows: Sequence[Reading], found: BatchPrevalence) -> str:
    if found.images < FEWEST_IMAGES:
        return f"at least {FEWEST_IMAGES} readable images are needed that the panel was not fitted on"
    groups = Counter(label for label, _ in {(row.label, row.group or row.case) for row in rows})
    few = [f"{name} ({groups[name]})" for name in task.names if groups[name] < FEWEST_GROUPS]
    if few:
        return (
            f"each label needs held-out cases from at least {FEWEST_GROUPS} groups, and some have fewer: "
            f"{', '.join(few)}; fit again with more labelled cases of them"
        )
    return ""


def _unfamiliar(arbiter: Arbiter, found: BatchPrevalence) -> str:
    rate = arbiter.familiarity.alarm_rate
    if wilson(found.alarms, found.images).low <= MOST_ALARMS * rate:
        return ""
    return (
        f"{found.alarms:,} of them are unlike the calibration images (at most {rate:.0%} are expected), "
        "so more than the label shares has changed; label some of them, and fit again"
    )


def _not_labels_alone(p_value: float) -> str:
    return (
        "the panel's answers fit no label shares, so more than these has changed: the camera, the light, the kind of "
        f"cases, or a label the panel does not know (p = {p_value:.3f}); label some of them, and fit again"
    )
