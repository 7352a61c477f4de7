"""What real servers refuse with, and what becomes of it: cause, next step, the server's words, and no call in vain.

``refusal_bodies.json`` holds the bodies: where each was found, and whether it was seen, or read in a thread or docs.
"""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models_kit import KEY, wire

from doubleread.agents.wire.faults import MAX_DETAIL, CallFault
from doubleread.agents.wire.refusals import error_in, error_of, fault_of_status, meanings, stated_delay
from doubleread.agents.wire.request import Request
from doubleread.agents.wire.server_options import Server
from doubleread.mock_server import MockReply, RawReply, running

BODIES = json.loads(Path(__file__).with_name("refusal_bodies.json").read_text(encoding="utf-8"))
REFUSED = [one for one in BODIES if not one["without"]]
TAKEN_WITHOUT = [one for one in BODIES if one["without"]]
PICTURE = "data:image/jpeg;base64," + "QUJD" * 100
QUESTION = Request(
    model="m",
    messages=(
        {"role": "system", "content": [{"type": "text", "text": "look"}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "which?"}, {"type": "image_url", "image_url": {"url": PICTURE}}],
        },
    ),
    answer_schema={"type": "object"},
)
FIELDS = {
    "json_schema": lambda body: body.get("response_format", {}).get("type") == "json_schema",
    "temperature": lambda body: "temperature" in body,
    "max_tokens": lambda body: "max_tokens" in body,
    "system": lambda body: body["messages"][0]["role"] == "system",
}


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)


def ask(mock, line, question=QUESTION, **changes):
    usual = {"model": "m", "attempts": 2, "deadline_s": 30.0, "key_variable": "TEST_KEY", **changes}

    async def asked():
        return await line.ask(Server(base_url=mock.base_url, **usual), "gpt", question, lambda completion: None)

    return asyncio.run(asked())


def named(bodies):
    return pytest.mark.parametrize("one", [pytest.param(one, id=one["name"]) for one in bodies])


@named(REFUSED)
def test_a_refusal_has_its_cause_its_next_step_and_the_servers_words(one):
    content = one["body"] if isinstance(one["body"], str) else json.dumps(one["body"])
    fault = fault_of_status(one["status"], error_of(content.encode()))
    assert (fault.cause, fault.step) == (one["cause"], one["step"])
    assert one["says"] in fault.detail
    assert str(one["status"]) in fault.detail
    assert len(fault.detail) <= MAX_DETAIL
    assert "SECRET" not in fault.detail


@named([one for one in REFUSED if one["step"] == "stop"])
def test_what_cannot_succeed_is_asked_once(one):
    with running(otherwise=RawReply(one["status"], one["body"])) as mock, wire() as line:
        with pytest.raises(CallFault) as caught:
            ask(mock, line)
        assert caught.value.cause == one["cause"]
        assert len(mock.server.requests) == line.budget.spent.calls == 1


@named(TAKEN_WITHOUT)
def test_a_field_that_the_server_does_not_know_is_left_out_and_the_lesson_kept(one):
    has = [FIELDS[name] for name in one["without"]]

    def answer(received):
        return RawReply(one["status"], one["body"]) if any(h(received.body) for h in has) else MockReply(text="yes")

    with running(otherwise=answer) as mock, wire() as line:
        assert ask(mock, line).completion.text == "yes"
        assert len(mock.server.requests) == 2
        assert ask(mock, line, QUESTION.model_copy(update={"extra": {"seed": 1}})).completion.text == "yes"
        assert len(mock.server.requests) == line.budget.spent.calls == 3
        assert "QUJD" in json.dumps(mock.server.requests[-1].body)


def test_a_lesson_is_kept_only_once_the_call_without_the_field_worked():
    refusal = {"error": {"message": "Unknown parameter: 'temperature'.", "param": "temperature"}}

    def always(received):
        return RawReply(400, refusal if "temperature" in received.body else {"error": "something else is wrong"})

    with running(otherwise=always) as mock, wire() as line:
        with pytest.raises(CallFault, match="something else is wrong"):
            ask(mock, line)
        with pytest.raises(CallFault, match="something else is wrong"):
            ask(mock, line)
        assert len(mock.server.requests) == 4  # the second call asks with the temperature again


def test_a_limit_that_is_too_large_is_no_unknown_field_and_the_other_name_is_not_tried():
    body = next(one for one in BODIES if one["name"] == "doubao-limit-too-large")["body"]
    with running([RawReply(400, body)], MockReply(text="yes")) as mock, wire() as line:
        with pytest.raises(CallFault, match="12288"):
            ask(mock, line)
        assert ask(mock, line).completion.text == "yes"
        assert [set(FIELDS) & {"max_tokens"} <= set(one.body) for one in mock.server.requests] == [True, True]


def test_a_server_that_refuses_both_names_of_the_limit_is_told_apart_from_one_that_knows_one():
    def neither(received):
        name = "max_tokens" if "max_tokens" in received.body else "max_completion_tokens"
        return RawReply(400, {"error": {"message": f"Unknown parameter: '{name}'", "param": name}})

    with running(otherwise=neither) as mock, wire() as line:
        for _ in range(2):
            with pytest.raises(CallFault, match="Unknown parameter"):
                ask(mock, line)
        assert ["max_tokens" in one.body for one in mock.server.requests] == [True, False, True, False]


def test_an_answer_longer_than_asked_for_teaches_the_other_name_of_the_limit():
    question = QUESTION.model_copy(update={"max_tokens": 100})

    def endless(received):
        return MockReply(text="yes", output_tokens=90 if "max_completion_tokens" in received.body else 900)

    with running(otherwise=endless) as mock, wire() as line:
        for seed in range(3):
            assert ask(mock, line, question.model_copy(update={"extra": {"seed": seed}})).completion.text == "yes"
        assert ["max_tokens" in one.body for one in mock.server.requests] == [True, False, False]
        stored = line._answers.lessons.all()
        assert [one.feature for one in stored] == ["max_tokens"]


def test_token_probabilities_that_a_server_refuses_are_never_asked_for_again():
    question = QUESTION.model_copy(update={"top_logprobs": 5})
    refusal = {"error": {"message": "logprobs is not supported"}}
    with running(otherwise=RawReply(400, refusal)) as mock, wire() as line:
        for _ in range(3):
            with pytest.raises(CallFault, match="choose another `confidence`") as caught:
                ask(mock, line, question)
            assert caught.value.cause == "unsupported"
        assert len(mock.server.requests) == 1


@pytest.mark.parametrize(
    "message",
    [
        "the label 'temperature' is not in the list",
        "rate is unknown",
        "tokens not allowed to exceed the temperature of the model",
    ],
)
def test_words_that_only_look_like_a_field_cost_at_most_one_call(message):
    with running(otherwise=RawReply(400, {"error": message})) as mock, wire() as line:
        with pytest.raises(CallFault, match=message[:20]):
            ask(mock, line)
        assert len(mock.server.requests) <= 2


def test_keys_and_pictures_in_a_refusal_are_removed():
    body = {"error": {"message": f"bad {KEY} and {PICTURE}", "code": KEY, "metadata": {"raw": f"{PICTURE} {KEY}"}}}
    fault = fault_of_status(400, error_of(json.dumps(body).encode()), KEY, [KEY])
    assert KEY not in f"{fault} {fault.request_id}"
    assert "QUJD" not in str(fault)


def test_every_row_of_the_table_is_reached_by_a_body():
    def row_of(one):
        content = one["body"] if isinstance(one["body"], str) else json.dumps(one["body"])
        codes_and_text = error_of(content.encode())
        return next((i for i, row in enumerate(meanings()) if _fits(row, one["status"], codes_and_text)), None)

    reached = {row_of(one) for one in REFUSED}
    unreached = [row.about for i, row in enumerate(meanings()) if i not in reached]
    assert unreached == []


def _fits(row, status, error):
    codes = " ".join(str(error.get(name) or "") for name in ("code", "type", "param"))
    return row.fits(status, codes, f"{error.get('message') or ''} {codes}")


KEYS = st.sampled_from(["error", "message", "detail", "loc", "code", "metadata"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=30,
)


@given(json_values, st.integers(100, 599))
def test_any_body_is_read_without_an_accident(body, status):
    fault = fault_of_status(status, error_in(body))
    assert fault.detail
    assert len(fault.detail) <= MAX_DETAIL
    assert fault.step in ("stop", "repeat", "wait", "slow-down")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 120ms.", 0.12),
        ("Please try again in 4.9s", 4.9),
        ("Please try again in 18m43s. Need more tokens?", 1123),
        ("Please retry in 34.07s.", 34.07),
        ("No deployments available, Try again in 60 seconds.", 60),
        ("Please wait 7 s", 7),
        ("retry after 1h2m3s", 3723),
        ("Please try again later", None),
        ("try again in a while", None),
        ("nothing", None),
    ],
)
def test_a_wait_that_is_asked_for_in_words_is_understood(text, seconds):
    assert stated_delay(text) == (None if seconds is None else pytest.approx(seconds))


def test_a_server_that_is_loading_is_waited_for_and_its_words_are_the_cause_in_the_end():
    loading = RawReply(503, {"error": {"message": "Loading model", "code": 503}})
    with running([loading], MockReply(text="yes")) as mock, wire() as line:
        assert ask(mock, line, attempts=1).completion.text == "yes"
    with running(otherwise=loading) as mock, wire() as line, pytest.raises(CallFault, match="Loading model") as caught:
        ask(mock, line, deadline_s=0.5)
    assert caught.value.cause == "server"


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_wait_beyond_the_deadline_is_not_begun(status):
    late = RawReply(status, {"error": "busy"}, {"retry-after": "3600"})
    with running(otherwise=late) as mock, wire() as line, pytest.raises(CallFault, match="busy"):
        ask(mock, line, attempts=1 if status == 502 else 4)
    assert len(mock.server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Insufficient credits."},
        {"error": {"code": 402, "message": "Insufficient credits."}},
        {"choices": [{"error": {"code": 402, "message": "Insufficient credits."}, "message": {"content": ""}}]},
        {"error": {"message": "Provider returned error", "metadata": {"raw": "Insufficient credits."}}},
    ],
)
def test_an_error_inside_an_answer_is_read_like_a_refusal(body):
    with running(otherwise=RawReply(200, body)) as mock, wire() as line, pytest.raises(CallFault) as caught:
        ask(mock, line)
    assert (caught.value.cause, len(mock.server.requests)) == ("quota", 1)
    assert "Insufficient credits" in caught.value.detail


def test_a_server_that_counts_more_tokens_than_asked_for_and_refuses_the_other_name_loses_no_call():
    refusal = {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs"}]}

    def answer(received):
        new = "max_completion_tokens" in received.body
        return RawReply(422, refusal) if new else MockReply(text="yes", output_tokens=900)

    question = QUESTION.model_copy(update={"max_tokens": 100})
    with running(otherwise=answer) as mock, wire() as line:
        for seed in range(4):
            assert ask(mock, line, question.model_copy(update={"extra": {"seed": seed}})).completion.text == "yes"
        assert ["max_tokens" in one.body for one in mock.server.requests] == [True, False, True, True, True]
