"""When an agent is proven unable to answer, and when it is only unlucky."""

import pytest

from doubleread.core.errors import PanelError
from doubleread.core.opinion import Abstention, Opinion, Usage
from doubleread.panel._roll_call import PROOF, RollCall

YES = Opinion(agent="a", label="x", confidence=0.9, confidence_source="verbalized")


def no(cause="bad-request", detail="why"):
    return Abstention(agent="a", cause=cause, detail=detail, usage=Usage(calls=1, cost_usd=0.01))


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
