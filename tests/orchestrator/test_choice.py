"""Calibrators and fusion rule: the most cautious, unless another is clearly better on held-out cases."""

import numpy as np
import pytest

from doubleread.core.errors import UnknownPart
from doubleread.orchestrator.learning.choice import AUTO, choose
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.metrics import clustered, design_effect, log_gain, nll


def panel(n, *, bias=0.0, seed=0):
    """Two agents on three labels; with ``bias`` both say the first label far too often."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 3
    logits = rng.normal(size=(n, 2, 3))
    logits[np.arange(n), :, y] += 2
    logits[:, :, 0] += bias
    p = np.exp(logits)
    return p / p.sum(axis=2, keepdims=True), y


def chosen(raw, y, calibrator=AUTO, rule="log-pool", assumed=None, names=()):
    return choose(raw, Sample(y, assumed=assumed, folds=3), calibrator=calibrator, rule=rule, names=names)


def test_an_unknown_prior_gets_an_intercept_where_that_is_clearly_better():
    found = chosen(*panel(90, bias=3.0), names=("gpt", "qwen"))
    one = chosen(*panel(90, bias=3.0), calibrator="temperature")
    assert found.calibrators == ("vector", "vector")
    assert found.notes[0].startswith("gpt: corrected for how often it names each label (gain in log-loss +")
    y = panel(90)[1]
    assert nll(found.learned.held_out, y) < nll(one.learned.held_out, y)


def test_an_agent_without_bias_or_with_a_known_prior_gets_none():
    assert chosen(*panel(90)).calibrators == ("temperature", "temperature")
    balanced = np.full(3, 1 / 3)
    assert chosen(*panel(90), assumed=(balanced, None)).calibrators == ("temperature", "temperature")


def test_the_cautious_rule_is_left_only_beyond_one_standard_error():
    raw, y = panel(90)
    found = chosen(raw, y, rule=AUTO)
    other = chosen(raw, y, rule="panel-mean", calibrator="temperature")
    gain = log_gain(found.learned.held_out, other.learned.held_out, y)
    assert found.rule == "log-pool"
    assert not gain.clear
    assert found.notes[-1].startswith("fusion: log-pool over temperature, the cautious choice, since no other")


def test_what_was_named_is_taken_without_a_word():
    found = chosen(*panel(60), calibrator="vector")
    assert (found.calibrators, found.rule, found.notes) == (("vector", "vector"), "log-pool", ())
    with pytest.raises(UnknownPart, match="unknown fusion rule"):
        chosen(*panel(60), rule="debate")


def test_fewer_than_five_cases_of_a_label_choose_nothing_and_that_is_said():
    found = chosen(*panel(12, bias=3.0), rule=AUTO)
    assert (found.calibrators, found.rule) == (("temperature", "temperature"), "log-pool")
    assert found.notes == (
        "4 cases of the rarest label are too few to choose a fusion rule: log-pool over temperature is used",
    )


def test_fewer_than_twenty_groups_choose_nothing():
    raw, y = panel(90, bias=3.0)
    found = choose(raw, Sample(y, np.arange(90) % 19, folds=3), calibrator=AUTO, rule=AUTO)
    assert (found.calibrators, found.rule) == (("temperature", "temperature"), "log-pool")
    assert found.notes == ("19 groups are too few to choose a fusion rule: log-pool over temperature is used",)


def test_a_copy_of_an_agent_does_not_count_twice():
    raw, y = panel(90)
    fits = [chosen(np.stack(agents, axis=1), y, rule=AUTO) for agents in ([raw[:, 0]], [raw[:, 0]] * 2)]
    one, two = (found.learned.held_out for found in fits)
    assert np.abs(one - two).mean() < 0.04
    assert nll(two, y) < nll(one, y) + 0.03


def test_a_standard_error_counts_groups_not_cases():
    # Two groups of three: deviations sum to +3 and -3, so SE² = 2/1 · (9 + 9) / 6² = 1.
    gain = clustered(np.array([3.0, 3.0, 3.0, 1.0, 1.0, 1.0]), ["a"] * 3 + ["b"] * 3)
    assert (gain.mean, gain.error) == (2.0, pytest.approx(1.0))
    assert gain.clear
    alike = clustered(np.array([3.0, 1.0]), ["a", "a"])
    assert alike.error == float("inf")
    assert (gain.line, alike.line) == ("+2.000 ± 1.000", "+2.000, too few groups for an interval")
    alone = clustered(np.array([1.0, 2.0, 3.0, 4.0]))
    assert alone.error == pytest.approx(np.std([1, 2, 3, 4], ddof=1) / 2)


def test_a_design_effect_is_one_for_cases_on_their_own_and_the_group_size_for_copies():
    values = np.random.default_rng(0).normal(size=60)
    assert design_effect(values) == pytest.approx(1.0)
    assert design_effect(np.repeat(values, 4), np.repeat(np.arange(60), 4)) == pytest.approx(4.0, rel=0.02)
    assert design_effect(np.ones(10), np.arange(10) // 2) == 1.0
