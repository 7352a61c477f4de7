"""When an agent is proven unable to answer, and when it is only unlucky."""

import numpy as np
import pytest

from doubleread.core.errors import PanelError
from doubleread.core.opinion import Abstention, Opinion, Usage
from doubleread.orchestrator.learning.arbitration import Readings
from doubleread.panel._roll_call import PROOF, RollCall

YES = Opinion(agent="a", label="x", confidence=0.9, confidence_source="verbalized")


def no(cause="bad-request", detail="why", **fields):
    return Abstention(agent="a", cause=cause, detail=detail, usage=Usage(calls=1, cost_usd=0.01), **fields)


def heard(answers, *, keep_going=True):
    roll = RollCall(keep_going)
    rows = [[one] for one in answers]
    roll.hear(("a",), rows, rows)
    return roll.unable


@pytest.mark.parametrize(
    "answers",
    [
        [no()] * PROOF,
        [YES, *[no()] * PROOF],
        [no("refusal"), no("length")] * (PROOF // 2),
        [no("quota")],
        [YES, YES, no("unsupported")],
        [no("network")] * 3,
    ],
)
def test_what_proves_that_an_agent_cannot_answer(answers):
    assert list(heard(answers)) == ["a"]
    with pytest.raises(PanelError, match="agent a cannot answer"):
        heard(answers, keep_going=False)


@pytest.mark.parametrize(
    "answers",
    [
        [no()] * (PROOF - 1),
        [YES, *[no("refusal"), no("length")] * PROOF],
        ([no()] * (PROOF - 1) + [YES]) * 5,
        [YES, no("network")],
        [no("no-text-encoder")] * 100,
        [no("not-recorded")] * 100,
    ],
)
def test_what_does_not(answers):
    assert heard(answers) == {}


def test_the_error_says_who_why_what_to_do_and_what_was_spent():
    with pytest.raises(PanelError) as caught:
        heard([YES, *[no(detail="HTTP 400: too dark")] * PROOF], keep_going=False)
    told = str(caught.value)
    assert "agent a cannot answer: 1 of 21 questions answered (bad-request): HTTP 400: too dark. Correct" in told
    assert "Correct its settings by what the server says." in told
    assert "of 20 calls so far ($0.2000)" in told
    assert "--keep-going" in told


def looked(second, first=YES):
    """What a roll call made of second looks, with a first look that was answered before each."""
    roll = RollCall()
    roll.hear(("a",), [[first]] * len(second), [[one.model_copy(update={"round": 2})] for one in second])
    return roll


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ([no()] * PROOF, "0 of 20 second looks answered (bad-request): why"),
        ([*[YES] * 5, *[no()] * PROOF], "5 of 25 second looks answered (bad-request): why"),
        ([no("refusal"), no("length")] * (PROOF // 2), "0 of 20 second looks answered (length): why"),
        ([no("unsupported")], "0 of 1 second looks answered (unsupported): why"),
    ],
)
def test_an_agent_without_second_looks_keeps_its_first_looks(second, why):
    roll = looked(second)
    assert (roll.unable, roll.first_looks_only) == ({}, {"a": why})
    assert roll.present({"a": "itself"}) == {"a": "itself"}


@pytest.mark.parametrize(
    "second",
    [
        [no()] * (PROOF - 1),
        ([no()] * (PROOF - 1) + [YES]) * 5,
        [YES, *[no("refusal"), no("length")] * PROOF],
        [no("no-evidence")] * 100,
        [no("not-recorded")] * 100,
    ],
)
def test_second_looks_that_only_fail_now_and_then_are_asked_on(second):
    assert looked(second).first_looks_only == {}


def test_a_spent_credit_in_a_second_look_is_the_agent_s():
    with pytest.raises(PanelError, match="agent a cannot answer: 1 of 2 questions"):
        looked([no("quota")])


def test_without_second_looks_the_second_answers_are_the_first():
    roll, some = looked([no()] * PROOF), [[YES]] * 2
    again = [[no(round=2)], [YES.model_copy(update={"round": 2})]]
    found = roll.without_unable(("a",), Readings(some, again, [], np.zeros(2, int), None, "a test"))
    assert found.second == found.first == some
    assert found.first_looks_only == {"a": "0 of 20 second looks answered (bad-request): why"}


def test_waves_are_small_until_enough_is_heard_to_prove_something():
    roll = RollCall()
    assert roll.wave(2, 32) == PROOF // 2
    roll.hear(("a",), [[YES]] * 15, [[YES]] * 15)
    assert roll.wave(2, 32) == 5
    roll.hear(("a",), [[YES]] * 5, [[YES]] * 5)
    assert roll.wave(2, 32) == 32
