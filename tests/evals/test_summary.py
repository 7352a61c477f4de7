"""Figures of a few verdicts, worked out by hand."""

from math import log

import numpy as np
import pytest
from verdicts_kit import AB, verdict

from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.evals.summary import calibrated_first, nll_gain, summarise
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.trust import profile

VERDICTS = [
    verdict("1", "a", 0.9, agent=0.8, sure=True),
    verdict("2", "a", 0.8, agent=0.4, then=0.7),  # helped
    verdict("3", "b", 0.3, agent=0.2, sure=True),
    verdict("4", "b", 0.6, agent=0.3, then=0.6, commit=False),  # harmed, and referred
    verdict("5", "b", 0.7, agent=0.6, then=0.7, sure=True),  # wrong before and after; wrongly committed
    verdict("6", "a", 0.6, sure=False),  # the agent was silent
]


def trust(kind="none"):
    """A profile of ``x`` with a calibrator fitted on made-up scores."""
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    y = np.array([0, 0, 1, 1, 0, 1])
    return profile("x", AB, p, y, calibrator=CALIBRATORS.get(kind)().fit(p, y), calibrated_P=p)


@pytest.fixture(scope="module")
def summary():
    return summarise(VERDICTS, AB, [trust()])


def test_counts(summary):
    assert summary.n == 6
    assert summary.panel.accuracy.value == pytest.approx(4 / 6)  # 4 and 5 are wrong
    assert (summary.committed, summary.referred) == (5, 1)
    assert summary.committed_accuracy.value == pytest.approx(4 / 5)  # 5 is wrong
    assert summary.set_coverage == pytest.approx(5 / 6)  # 5 has {a} for b
    assert summary.set_size == pytest.approx(9 / 6)
    assert summary.seconds_median == 0.5


def test_near_copies_of_the_panel_s_own_cases_are_told_and_taken_out(summary):
    assert (summary.leaked, summary.accuracy_without_leaks) == (0, None)
    copy = Neighbour(case_id="9" * 64, label="a", similarity=0.99)
    seen = Evidence(neighbours=(), near_copies=(copy,))
    some = [VERDICTS[0].model_copy(update={"evidence": seen}), *VERDICTS[1:]]
    found = summarise(some, AB, [trust()])
    assert found.leaked == 1
    assert found.accuracy_without_leaks.value == pytest.approx(3 / 5)  # 1 was right
    assert found.panel == summary.panel
    everything = [one.model_copy(update={"evidence": seen}) for one in VERDICTS]
    assert summarise(everything, AB, [trust()]).accuracy_without_leaks is None


def test_an_agent_is_judged_where_it_spoke(summary):
    (x,) = summary.agents
    assert (x.n, x.abstained) == (5, 1)
    assert x.accuracy.value == pytest.approx(3 / 5)  # 2 and 5 are wrong at first
    assert summary.best_accuracy == x
    assert summary.best_nll == x
    assert len(summary.risk_coverage["x"].coverage) == 5


def test_what_the_second_look_did(summary):
    (x,) = summary.effects
    assert (x.agent, x.looked, x.helped, x.harmed) == ("x", 3, 1, 1)
    assert summary.second_looks == 3


def test_log_loss(summary):
    assert summary.panel.nll.value == pytest.approx(-np.mean([log(p) for p in (0.9, 0.8, 0.7, 0.4, 0.3, 0.6)]))


def test_first_answers_are_calibrated_and_silence_stays_silence():
    learned = trust("temperature")
    rows = calibrated_first(VERDICTS, AB, learned)
    raw = np.array([[p, 1 - p] for p in (0.8, 0.4, 0.2, 0.3, 0.6)])
    assert rows[:5].argmax(axis=1).tolist() == raw.argmax(axis=1).tolist()
    assert rows[:5].sum(axis=1) == pytest.approx(np.ones(5))
    assert not np.allclose(rows[:5], raw)
    assert np.isnan(rows[5]).all()
    assert calibrated_first(VERDICTS, AB, trust())[:5] == pytest.approx(raw)


def test_the_gain_is_above_0_where_the_panel_is_better():
    surer = [verdict("1", "a", 0.9, agent=0.6), verdict("2", "b", 0.2, agent=0.5)]
    gain = nll_gain(surer, AB, trust())
    assert gain.value == pytest.approx((log(0.9 / 0.6) + log(0.8 / 0.5)) / 2)
    assert gain.low > 0
    worse = [verdict("1", "a", 0.6, agent=0.9), verdict("2", "b", 0.5, agent=0.2)]
    assert nll_gain(worse, AB, trust()).value == pytest.approx(-gain.value)


def test_only_cases_where_both_spoke_count_for_the_gain():
    silent = verdict("3", "a", 0.9).model_copy(update={"posterior": {}})
    heard = [verdict("1", "a", 0.9, agent=0.6), verdict("2", "b", 0.2, agent=0.5)]
    assert nll_gain([*heard, silent, VERDICTS[5]], AB, trust()) == nll_gain(heard, AB, trust())


def test_an_agent_that_never_spoke_has_no_figures():
    summary = summarise([verdict("1", "a", 0.9), verdict("2", "b", 0.2)], AB, [trust()])
    assert summary.agents == ()
    assert summary.effects == ()
    assert set(summary.risk_coverage) == {"panel"}


def test_without_a_commitment_there_is_no_committed_accuracy():
    summary = summarise([verdict("1", "a", 0.6, agent=0.6, commit=False)], AB, [trust()])
    assert summary.committed_accuracy is None
    assert (summary.committed, summary.referred) == (0, 1)


def test_without_a_verdict_there_is_nothing_to_sum_up():
    with pytest.raises(DataError, match="there is no verdict to judge: no image could be read"):
        summarise([], AB, [trust()])


def test_a_summary_survives_json(summary):
    assert type(summary).model_validate_json(summary.model_dump_json()) == summary
