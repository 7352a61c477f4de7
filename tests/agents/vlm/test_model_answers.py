"""Answers as models write them: what can be read is read, what cannot is refused, and refusals are told apart.

``model_answers.json`` holds them, with where such answers were found.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models_kit import LEAVES, says, vlm, wire

from doubleread.agents.vlm._answer_json import answer_object
from doubleread.agents.vlm._forms import DistributionForm
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.reply import completion_of
from doubleread.agents.wire.request import Completion
from doubleread.core.case import Case
from doubleread.mock_server import MockReply, RawReply, running
from doubleread.mock_server.mock_reply import chat_body

ANSWERS = json.loads(Path(__file__).with_name("model_answers.json").read_text(encoding="utf-8"))
GOOD = {"findings": "f", "probabilities": {"healthy": 0.1, "rust": 0.7, "scab": 0.2}, "label": "rust"}
CASE = Case(id="aa" * 32, path=None, source="a")


def outcome(text):
    try:
        reading = DistributionForm().read(Completion(text=text), LEAVES, LEAVES.names)
    except CallFault as fault:
        return fault.cause
    assert reading.vector.tolist() == pytest.approx([0.1, 0.7, 0.2])
    return reading.label


@pytest.mark.parametrize("one", [pytest.param(one, id=one["name"]) for one in ANSWERS])
def test_an_answer_is_read_or_refused_as_a_person_would(one):
    assert outcome(one["text"]) == one["want"]


@given(st.integers(0, 10**6), st.text(max_size=40))
def test_what_the_strict_reader_reads_is_never_changed(seed, findings):
    written = json.dumps({**GOOD, "findings": findings, "more": seed})
    assert answer_object(written, lambda one: "probabilities" in one) == json.loads(written)


@given(st.integers(1, len(json.dumps(GOOD)) - 1))
def test_an_answer_that_was_cut_off_is_never_completed(length):
    assert outcome(json.dumps(GOOD)[:length]) == "invalid-answer"


@pytest.mark.parametrize("text", ["{" * 50_000, '{"a":' * 20_000, "{'a':[" * 9000, "{}" * 40_000, "{,}" * 30_000])
def test_a_hostile_answer_is_refused(text):
    assert outcome(text) == "invalid-answer"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_an_answer_in_a_field_for_thoughts_is_read(field):
    body = chat_body(MockReply())
    body["choices"][0]["message"] = {"role": "assistant", "content": None, field: json.dumps(GOOD)}
    assert completion_of(body).text == json.dumps(GOOD)
    body["choices"][0]["message"] = {"role": "assistant", "content": None, field: "the leaf is"}
    with pytest.raises(CallFault, match="turn thinking off"):
        completion_of(body)


@pytest.mark.parametrize("finish", ["length", "MAX_TOKENS", "max_tokens"])
def test_an_answer_that_is_whole_although_it_was_cut_off_is_read(finish):
    body = chat_body(MockReply(text=json.dumps(GOOD), finish_reason=finish))
    assert completion_of(body).text == json.dumps(GOOD)
    with pytest.raises(CallFault, match="raise max_tokens"):
        completion_of(chat_body(MockReply(text=json.dumps(GOOD)[:40], finish_reason=finish)))


@pytest.mark.parametrize("finish", ["content_filter", "SAFETY", "RECITATION", "PROHIBITED_CONTENT"])
def test_a_filter_is_recognised_by_any_of_its_names(finish):
    with pytest.raises(CallFault) as caught:
        completion_of(chat_body(MockReply(text="", finish_reason=finish)))
    assert caught.value.cause == "filter"


async def asked(replies):
    with running(replies, otherwise=replies[-1]) as mock, wire() as line:
        answer = await vlm(mock.base_url, line).read(CASE)
        return answer, len(mock.server.requests)


async def test_a_refusal_in_words_is_asked_once_and_an_unreadable_answer_twice():
    answer, calls = await asked([MockReply(text="I'm sorry, but I can't assist with that.")])
    assert (answer.cause, calls) == ("refusal", 1)
    answer, calls = await asked([MockReply(text="probably rust")])
    assert (answer.cause, calls) == ("invalid-answer", 2)
    answer, calls = await asked([MockReply(text="probably rust"), says()])
    assert calls == 2
    assert any(note.startswith("asked twice: no JSON object") for note in answer.notes)


async def test_thoughts_without_an_answer_are_not_paid_for_four_times():
    body = chat_body(MockReply())
    body["choices"][0]["message"] = {"role": "assistant", "content": "", "reasoning_content": "hmm"}
    answer, calls = await asked([RawReply(200, body)])
    assert (answer.cause, calls) == ("invalid-answer", 2)
    assert "raise max_tokens" in answer.detail
