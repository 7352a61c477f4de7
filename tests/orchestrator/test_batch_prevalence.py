"""The prevalence of a batch as a record: what it says, what it leaves out, and why it is refused."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from kit import TASK, case_of

from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence
from doubleread.core.reading import Outcome, Reading
from doubleread.core.task import Task
from doubleread.core.verdict import Decision, Unfamiliarity, Unread, Verdict
from doubleread.orchestrator.course.arbiter import HeldOut
from doubleread.orchestrator.prevalence.batch_prevalence import batch_prevalence

NAMES = TASK.names
PRIOR = {"healthy": 0.4, "rust": 0.3, "scab": 0.3}


@dataclass(frozen=True)
class Rate:
    alarm_rate: float = 0.02


@dataclass(frozen=True)
class Desk:
    """As much of an arbiter as is asked for."""

    held_out: HeldOut
    task: Task = field(default=TASK.model_copy(update={"prior": PRIOR}))
    familiarity: Rate = Rate()

    def profile(self, agent, round_=1):
        return None


def posteriors(labels, rng, *, sure=4.0):
    logits = sure * np.eye(3)[labels] + rng.normal(size=(len(labels), 3))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def reading(i, label, **fields):
    return Reading(
        case=f"{i:064x}",
        label=label,
        group=f"g{i // 3}",
        first=(),
        second=(),
        evidence=Evidence(neighbours=()),
        **fields,
    )


def verdict(name, row, *, alarm=False):
    told = dict(zip(NAMES, map(float, row), strict=True)) if row is not None else {}
    familiarity = Unfamiliarity(score=0, threshold=1, p_value=0.01 if alarm else 0.5, n=99, alarm=alarm)
    refer = Decision(action="refer")
    return Verdict(case=case_of(name), task=TASK.id, posterior=told, decision=refer, familiarity=familiarity)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def known(rng):
    """An arbiter and what it was learned from: 150 cases in groups of three."""
    labels = rng.choice(3, 150, p=list(PRIOR.values()))
    rows = [reading(i, NAMES[k]) for i, k in enumerate(labels)]
    return Desk(HeldOut(posteriors(labels, rng), np.ones(150, bool))), rows


@pytest.fixture
def batch(rng):
    """A hundred images, of which 70 show rust."""
    labels = np.repeat([0, 1, 2], [20, 70, 10])
    return [verdict(f"new-{i}", row) for i, row in enumerate(posteriors(labels, rng))]


def test_the_first_sentence_answers(known, batch):
    found = batch_prevalence(*known, batch)
    assert re.fullmatch(
        r"About \d\d % \(6\d to 7\d %\) of these 100 images are rust; the panel assumes 30 %\.", found.line
    )
    assert found.shares == pytest.approx({"healthy": 0.2, "rust": 0.7, "scab": 0.1}, abs=0.06)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.changed
    rust = found.labels[1]
    assert rust.low < 0.7 < rust.high
    assert (rust.now, found.held_out) == (0.3, 150)


def test_the_same_batch_has_the_same_answer(known, batch):
    assert batch_prevalence(*known, batch) == batch_prevalence(*known, batch)


def test_what_cannot_be_used_is_counted(known, batch):
    lost = Unread(source="x.png", code="missing", problem="there is no such file")
    found = batch_prevalence(*known, [*batch, lost, verdict("silent", None)], learned_from=2)
    assert (found.images, found.unread, found.silent, found.learned_from) == (100, (lost,), 1, 2)


def test_images_unlike_those_it_was_trusted_on_are_refused(known, batch):
    strange = [
        one.model_copy(update={"familiarity": verdict("x", None, alarm=True).familiarity}) if i % 5 == 0 else one
        for i, one in enumerate(batch)
    ]
    found = batch_prevalence(*known, strange)
    assert found.alarms == 20
    assert "20 of them are unlike the calibration images" in found.line
    assert found.labels == ()
    few = [batch[0].model_copy(update={"familiarity": strange[0].familiarity}), *batch[1:]]
    assert not batch_prevalence(*known, few).refused


def test_answers_that_fit_no_label_shares_are_refused(known, rng):
    blurred = [verdict(f"b{i}", row) for i, row in enumerate(posteriors(np.repeat([0, 1, 2], 40), rng, sure=0.5))]
    found = batch_prevalence(*known, blurred)
    assert found.line.startswith("No estimate for these 120 images: the panel's answers fit no label shares")
    assert found.p_value < 0.02
    assert found.shares == {}


def test_too_few_images_or_groups_are_refused(known, batch):
    arbiter, rows = known
    assert "at least 20 readable images" in batch_prevalence(arbiter, rows, batch[:19]).refused
    alone = [row.model_copy(update={"group": "one"}) if row.label == "scab" else row for row in rows]
    assert "scab (1)" in batch_prevalence(arbiter, alone, batch).refused


def test_selected_outcomes_are_no_sample_of_their_label(known, batch):
    arbiter, rows = known
    more = Outcome(
        **reading(150, "healthy").model_dump(), said="rust", action="refer", posterior={"rust": 1.0},
        sampling="selected", time=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    odd = np.vstack([arbiter.held_out.posterior, [[0.0, 1.0, 0.0]]])
    with_it = replace(arbiter, held_out=HeldOut(odd, np.ones(151, bool)))
    assert batch_prevalence(with_it, [*rows, more], batch) == batch_prevalence(arbiter, rows, batch)


def test_readings_of_another_arbiter_are_an_error(known, batch):
    arbiter, rows = known
    with pytest.raises(DataError, match="149 readings for 150 held-out cases"):
        batch_prevalence(arbiter, rows[1:], batch)
