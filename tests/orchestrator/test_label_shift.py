"""Label shares of a batch: right on average, inside their intervals, and refused where more than labels has shifted."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from doubleread.orchestrator.prevalence._label_shift import Outputs, Shares, label_shares

K, EQUAL = 3, np.full(3, 1 / 3)
BATCHES = 200


def outputs(rng, n, prevalence, *, distance=2.5):
    """A panel's exact probabilities, at equal label shares, for cases in groups of four that are alike.

    ``distance`` is that of the labels in the pictures; the panel takes it for 2.5 in any case.
    """
    groups = np.arange(n) // 4
    labels = rng.choice(K, n, p=prevalence)
    centres = np.eye(K) * 2.5
    noise = 0.5 * rng.normal(size=(groups.max() + 1, K))[groups] + np.sqrt(0.75) * rng.normal(size=(n, K))
    logits = (distance / 2.5 * centres[labels] + noise) @ centres.T
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Outputs(p / p.sum(axis=1, keepdims=True), groups), labels


def shares_of(labels):
    return np.bincount(labels, minlength=K) / len(labels)


class Trial(NamedTuple):
    found: Shares
    truth: np.ndarray


@cache
def trials(prevalence, distance=2.5, batches=BATCHES):
    """Estimates for batches of one prevalence, each with held-out cases of its own, and the shares in the batch."""
    done = []
    for seed in range(batches):
        rng = np.random.default_rng(seed)
        held_out, labels = outputs(rng, 160, EQUAL)
        batch, truth = outputs(rng, 120, prevalence, distance=distance)
        done.append(Trial(label_shares(held_out, labels, batch, EQUAL, draws=80, seed=seed), shares_of(truth)))
    return done


SHIFTED = (0.7, 0.25, 0.05)


def test_shares_are_right_on_average_and_better_than_those_assumed():
    errors = np.array([one.found.estimate - one.truth for one in trials(SHIFTED)])
    assert np.abs(errors.mean(axis=0)).max() < 0.02
    assert np.abs(errors).mean() < 0.04
    assert np.abs(EQUAL - SHIFTED).mean() > 0.2


@pytest.mark.parametrize("prevalence", [SHIFTED, tuple(EQUAL)])
def test_intervals_hold_the_shares_of_the_batch(prevalence):
    held = [(t.found.low <= t.truth + 1e-9) & (t.truth <= t.found.high + 1e-9) for t in trials(prevalence)]
    width = np.mean([t.found.high - t.found.low for t in trials(prevalence)])
    assert np.mean(held) >= 0.9
    assert width < 0.2


def test_a_shift_of_labels_alone_is_seldom_refused():
    for prevalence in (SHIFTED, tuple(EQUAL)):
        assert np.mean([one.found.p_value < 0.02 for one in trials(prevalence)]) <= 0.02


def test_pictures_that_are_harder_to_tell_are_refused():
    """The control of the test above: the same shares, but labels lie nearer to each other."""
    assert np.mean([one.found.p_value < 0.02 for one in trials(SHIFTED, distance=0.7, batches=40)]) >= 0.9


def test_the_held_out_cases_themselves_have_their_own_shares():
    held_out, labels = outputs(np.random.default_rng(1), 300, (0.5, 0.3, 0.2))
    known = shares_of(labels)
    found = label_shares(held_out, labels, held_out, known, draws=50)
    assert found.estimate == pytest.approx(known, abs=1e-4)
    assert found.p_value == 1


def test_an_uncertain_estimate_stays_near_what_was_known():
    """Eight images can hardly speak against the shares that are known."""
    rng = np.random.default_rng(3)
    held_out, labels = outputs(rng, 160, EQUAL, distance=2.5)
    few, _ = outputs(rng, 8, SHIFTED)
    many, truth = outputs(rng, 4000, SHIFTED)
    timid, sure = (label_shares(held_out, labels, batch, EQUAL, draws=80) for batch in (few, many))
    assert sure.estimate == pytest.approx(shares_of(truth), abs=0.05)
    assert (sure.high - sure.low).max() < (timid.high - timid.low).max()
    assert timid.estimate.min() > 0


def test_a_label_that_is_absent_gets_a_share_near_zero():
    rng = np.random.default_rng(5)
    held_out, labels = outputs(rng, 400, EQUAL)
    batch, _ = outputs(rng, 400, (0.6, 0.4, 0.0))
    found = label_shares(held_out, labels, batch, EQUAL, draws=80)
    assert found.low[2] == pytest.approx(0, abs=0.01)
    assert found.estimate[2] < 0.04
    assert found.estimate.sum() == pytest.approx(1)


def test_groups_widen_the_intervals():
    rng = np.random.default_rng(7)
    posterior, labels = outputs(rng, 240, EQUAL)
    copies = Outputs(np.repeat(posterior.posterior[:60], 4, axis=0), np.repeat(np.arange(60), 4))
    four_times = Outputs(copies.posterior, np.arange(240))
    held_out = Outputs(posterior.posterior, posterior.groups)
    together, alone = (label_shares(held_out, labels, batch, EQUAL, draws=200) for batch in (copies, four_times))
    assert (together.high - together.low).mean() > (alone.high - alone.low).mean()
