"""Calibrator and fusion rule by cross-fitted log-loss."""

import numpy as np
import pytest

from doubleread.core.errors import UnknownPart
from doubleread.orchestrator.choice import AUTO, choose
from doubleread.orchestrator.metrics import nll


def panel(n, *, bias=0.0, seed=0):
    """Two agents on three labels; with ``bias`` both say the first label far too often."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 3
    logits = rng.normal(size=(n, 2, 3))
    logits[np.arange(n), :, y] += 2
    logits[:, :, 0] += bias
    p = np.exp(logits)
    return p / p.sum(axis=2, keepdims=True), y


def chosen(raw, y, calibrator=AUTO, rule="log-pool"):
    return choose(raw, y, None, None, calibrator=calibrator, rule=rule, folds=3, seed=0)


def test_the_better_candidate_wins_and_the_note_says_by_how_much():
    found = chosen(*panel(90, bias=3.0))
    one = chosen(*panel(90, bias=3.0), calibrator="temperature")
    assert (found.calibrator, found.rule) == ("vector", "log-pool")
    y = panel(90)[1]
    better, worse = nll(found.learned.held_out, y), nll(one.learned.held_out, y)
    assert better < worse
    assert f"log-pool over vector, cross-fitted log-loss {better:.3f} (log-pool over temperature {worse:.3f})" in (
        found.note
    )


def test_what_was_named_is_taken_without_a_word():
    found = chosen(*panel(60), calibrator="temperature")
    assert (found.calibrator, found.rule, found.note) == ("temperature", "log-pool", "")
    with pytest.raises(UnknownPart, match="unknown fusion rule"):
        chosen(*panel(60), rule="debate")


def test_fewer_than_five_cases_of_a_label_choose_nothing_and_that_is_said():
    found = chosen(*panel(12), calibrator=AUTO, rule=AUTO)
    assert (found.calibrator, found.rule) == ("temperature", "panel-mean")
    assert found.note == "4 cases of the rarest label cannot choose a fusion: panel-mean is taken"


def test_five_cases_of_each_label_can_choose():
    found = chosen(*panel(15))
    assert found.note.startswith("fusion: log-pool over")
    assert np.isfinite(found.learned.held_out).all()


def test_a_copy_of_an_agent_does_not_count_twice():
    raw, y = panel(90)
    fits = [chosen(np.stack(agents, axis=1), y, rule=AUTO) for agents in ([raw[:, 0]], [raw[:, 0]] * 2)]
    one, two = (found.learned.held_out for found in fits)
    assert np.abs(one - two).mean() < 0.04
    assert nll(two, y) < nll(one, y) + 0.03
