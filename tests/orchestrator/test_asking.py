"""Asking an agent: whatever it does, the panel gets an answer it can use."""

import pytest
from kit import TASK, ScriptedAgent, SecondThoughts, case_of, evidence_for, opinion

from doubleread.core.opinion import Abstention, Opinion
from doubleread.core.task import Task
from doubleread.orchestrator.course.seats import ask

CASE, OTHER = case_of("leaf"), Task.of("moles", ["benign", "malignant"])


async def answer_of(agent, evidence=None, round_=1, timeout=5.0):
    return await ask("seat", agent, CASE, evidence, task=TASK, round_=round_, timeout_s=timeout)


async def test_an_answer_bears_the_name_of_the_seat_its_round_and_its_time():
    answer = await answer_of(ScriptedAgent("elsewhere", opinion("elsewhere", 0.1, 0.8, 0.1), delay=0.02))
    assert (answer.agent, answer.round, answer.label) == ("seat", 1, "rust")
    assert 0.01 < answer.seconds < 1


async def test_with_evidence_it_is_asked_to_reconsider_if_it_can():
    able = SecondThoughts("a", opinion("a", 0.8, 0.1, 0.1), then_says=opinion("a", 0.1, 0.8, 0.1))
    answer = await answer_of(able, evidence_for("rust"), round_=2)
    assert (answer.label, answer.round) == ("rust", 2)
    plain = await answer_of(ScriptedAgent("a", opinion("a", 0.8, 0.1, 0.1)), evidence_for("rust"), round_=2)
    assert (plain.label, plain.round) == ("healthy", 2)


@pytest.mark.parametrize(
    ("says", "cause", "detail"),
    [
        (ValueError("no JSON"), "failure", "ValueError: no JSON"),
        (Abstention(agent="x", cause="refusal", detail="I must not"), "refusal", "I must not"),
        (None, "invalid-answer", "the answer is a NoneType; an Opinion or an Abstention is needed"),
        ("rust", "invalid-answer", "the answer is a str"),
        (opinion("x", 0.5, 0.5, task=OTHER), "invalid-answer", "the task has healthy, rust, scab"),
        (
            Opinion(agent="x", label="mildew", confidence=0.9, confidence_source="verbalized"),
            "invalid-answer",
            "other labels (mildew, …)",
        ),
        (
            Opinion(agent="x", label="rust", confidence=1, probabilities={"rust": 1.0}, confidence_source="logprobs"),
            "invalid-answer",
            "the task has healthy, rust, scab",
        ),
    ],
)
async def test_what_cannot_be_used_is_an_abstention_with_its_cause(says, cause, detail):
    answer = await answer_of(ScriptedAgent("x", says))
    assert isinstance(answer, Abstention)
    assert (answer.agent, answer.cause, answer.round) == ("seat", cause, 1)
    assert detail in answer.detail


async def test_an_agent_that_takes_too_long_is_given_up():
    answer = await answer_of(ScriptedAgent("x", opinion("x", 1, 0, 0), delay=5), timeout=0.05)
    assert (answer.cause, answer.detail) == ("timeout", "no answer in 0.05 s")
