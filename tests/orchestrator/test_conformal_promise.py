"""The promise of prediction sets, tested over many draws of held-out and new cases, for scores good and bad."""

import numpy as np
import pytest
from scipy.stats import betabinom

from doubleread.orchestrator.conformal import SCORES, ConformalSets

DRAWS, HELD_OUT, NEW = 300, 60, 60


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _sample(n, rng, k, skill, sharpness, shares=None):
    """Distributions that are too sure above sharpness 1, and too shy below; right at 1."""
    y = rng.choice(k, size=n, p=shares)
    z = rng.normal(size=(n, k))
    z[np.arange(n), y] += skill
    return softmax(sharpness * (skill * z + (0 if shares is None else np.log(shares)))), y


def calibrated(n, rng):
    return _sample(n, rng, 4, 1.2, 1.0)


def overconfident(n, rng):
    return _sample(n, rng, 4, 1.2, 4.0)


def shy_and_many(n, rng):
    return _sample(n, rng, 12, 1.5, 0.3)


def two_labels(n, rng):
    return _sample(n, rng, 2, 0.8, 2.0)


def unbalanced(n, rng):
    return _sample(n, rng, 3, 1.0, 2.0, shares=[0.8, 0.15, 0.05])


def tied(n, rng):
    """Verbalised confidences: three values, wrong as often at each."""
    y = rng.integers(4, size=n)
    said = np.where(rng.random(n) < 0.6, y, rng.integers(4, size=n))
    sure = rng.choice([0.85, 0.9, 0.95], size=n)
    P = np.repeat(((1 - sure) / 3)[:, None], 4, axis=1)
    P[np.arange(n), said] = sure
    return P, y


SHAPES = [calibrated, overconfident, shy_and_many, two_labels, unbalanced, tied]


def hits_of(sets, P, y, u):
    return np.array([label in found for label, found in zip(y, sets.predict(P, u), strict=True)])


def coverages(shape, score, coverage, *, draws=DRAWS, held_out=HELD_OUT, seed=0):
    """Covered new cases of each draw, shape ``(draws,)``, and what kinds of sets there were."""
    rng = np.random.default_rng(seed)
    counts, kinds = [], set()
    for _ in range(draws):
        P, y = shape(held_out + NEW, rng)
        u = rng.random(len(y))
        sets = ConformalSets.fit(P[:held_out], y[:held_out], coverage, score, u=u[:held_out])
        counts.append(hits_of(sets, P[held_out:], y[held_out:], u[held_out:]).sum())
        kinds.add(sets.kind)
    return np.array(counts), kinds


def spread(coverage, held_out, draws=DRAWS):
    """Standard error of the mean coverage over draws: held-out and new cases both vary (Vovk 2012)."""
    rank = int(np.ceil((held_out + 1) * coverage - 1e-9))
    return betabinom(NEW, rank, held_out + 1 - rank).std() / NEW / np.sqrt(draws)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("score", SCORES.names())
def test_coverage_is_at_least_what_was_promised(score, shape):
    counts, _ = coverages(shape, score, 0.9)
    assert counts.mean() / NEW >= 0.9 - 3 * spread(0.9, HELD_OUT)


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_coverage_spreads_over_draws_as_the_beta_binomial_says(score):
    held_out = 39  # at 95 % the 38th of 39: exactly 0.95 in the mean, where no set comes out empty
    counts, kinds = coverages(shy_and_many, score, 0.95, draws=600, held_out=held_out, seed=1)
    expected = betabinom(NEW, 38, 2)
    assert kinds == {"marginal"}
    assert counts.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(600))
    # The variance of 600 such draws has a standard error of about a tenth of itself.
    assert counts.var() == pytest.approx(expected.var(), rel=0.35)
    low = expected.ppf(0.1)
    assert np.mean(counts < low) <= expected.cdf(low - 1) + 3 * np.sqrt(0.1 * 0.9 / 600)


@pytest.mark.parametrize("score", SCORES.names())
def test_class_conditional_coverage_holds_for_each_label(score):
    rng = np.random.default_rng(2)
    hits = [[] for _ in range(3)]
    for _ in range(200):
        P, y = unbalanced(600, rng)
        u = rng.random(600)
        sets = ConformalSets.fit(P[:400], y[:400], 0.9, score, u=u[:400])
        if sets.kind != "class-conditional":  # fewer than nine of the rare label: the promise is another one
            continue
        found = hits_of(sets, P[400:], y[400:], u[400:])
        for label in range(3):
            hits[label].extend(found[y[400:] == label])
    for found in hits:
        assert len(found) > 500
        # The cases of a draw share a threshold: nine to twenty held-out cases of the rare label spread by about 0.07.
        assert np.mean(found) >= 0.9 - 3 * (0.07 / np.sqrt(150) + 0.3 / np.sqrt(len(found)))


def test_marginal_sets_leave_the_rare_label_short_which_is_why_class_conditional_ones_exist():
    rng = np.random.default_rng(3)
    rare = []
    for _ in range(200):
        P, y = unbalanced(160, rng)
        sets = ConformalSets.fit(P[:100], y[:100], 0.9)
        if sets.kind == "marginal":
            rare.extend(hits_of(sets, P[100:], y[100:], None)[y[100:] == 2])
    assert len(rare) > 300
    assert np.mean(rare) < 0.7


def test_these_tests_can_fail_a_quantile_without_the_correction_breaks_the_promise():
    """A negative control: the plain 90 % quantile of 19 scores covers about 86 %."""
    rng, counts = np.random.default_rng(4), []
    for _ in range(DRAWS):
        P, y = calibrated(19 + NEW, rng)
        scores = 1 - P[np.arange(len(y)), y]
        counts.append((scores[19:] <= np.quantile(scores[:19], 0.9)).sum())
    assert np.mean(counts) / NEW < 0.9 - 3 * spread(0.9, 19)
