"""Calls over real HTTP: what is asked, what is read, and what every fault comes to."""

import asyncio
import logging
import time

import pytest
from models_kit import KEY, wire

from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.agents.wire.prices import TokenPrice
from doubleread.agents.wire.request import AnswerOption, Request
from doubleread.agents.wire.server_options import OPENAI, Server
from doubleread.mock_server import Fault, MockReply, RateLimits, running
from doubleread.mock_server.injected_faults import FAULTS

IMAGE = "data:image/jpeg;base64," + "QUJD" * 100
QUESTION = Request(
    model="m",
    messages=(
        {
            "role": "user",
            "content": [{"type": "text", "text": "which?"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
        },
    ),
    answer_schema={"type": "object"},
    extra={"seed": 7},
)
WHAT_BECOMES_OF_IT = {
    "rate-limit": None,
    "quota": "quota",
    "unauthorized": "authentication",
    "forbidden": "authentication",
    "not-found": "not-found",
    "too-large": "bad-request",
    "bad-request": "bad-request",
    "unprocessable": "bad-request",
    "server-error": "server",
    "loading": None,
    "overloaded": None,
    "hang": "timeout",
    "drip": "timeout",
    "broken-json": "server",
    "html": "server",
    "empty-body": "server",
    "refusal": "refusal",
    "content-filter": "filter",
    "truncation": "length",
    "wrong-label": None,
    "duplicate-keys": None,
    "not-a-distribution": None,
    "prose": None,
    "null-choices": "server",
    "no-choices": "server",
    "null-content": "invalid-answer",
    "null-message": "invalid-answer",
    "gateway-error": "server",
    "not-an-object": "server",
    "disconnect": "network",
    "endless": "server",
    "endless-error": "server",
    "bomb": "server",
    "deep": "server",
    "latin-1": "server",
    "lone-surrogate": None,
    "odd-error-code": "server",
    "infinite-usage": None,
    "negative-usage": None,
    "absurd-usage": None,
    "redirect": "bad-request",
}
"""The cause of the abstention; None where the wire gets an answer in the end, whatever it says."""
REPEATED = {"server", "timeout", "network"}
ONCE = {"endless", "bomb"}
"""Not repeated, although it is the server's fault: too much is no accident."""


def server(mock, **changes):
    hasty = {"model": "m", "attempts": 2, "attempt_timeout_s": 0.3, "deadline_s": 5.0, "key_variable": "TEST_KEY"}
    return Server(**{"base_url": mock.base_url, **hasty, **changes})


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)


def ask(mock, request=QUESTION, check=lambda completion: None, on=None, **changes):
    async def asked(line):
        return await line.ask(server(mock, **changes), "gpt", request, check)

    if on is not None:
        return asyncio.run(asked(on))
    with wire() as line:
        return asyncio.run(asked(line))


def test_the_request_and_the_answer_arrive_whole():
    with running(otherwise=MockReply(text="rust", input_tokens=70, output_tokens=5, cached_tokens=20)) as mock:
        answered = ask(mock)
    [received] = mock.server.requests
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == {
        "model": "m",
        "messages": list(QUESTION.messages),
        "max_tokens": 1000,
        "temperature": 0.0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reading", "strict": True, "schema": {"type": "object"}},
        },
        "seed": 7,
    }
    completion = answered.completion
    assert (completion.text, completion.model, completion.request_id) == ("rust", "mock-1", "req-1")
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (70, 5)
    assert (completion.usage.cached_tokens, completion.usage.calls) == (20, 1)
    assert not answered.cached


def test_the_clients_own_environment_goes_to_openai_only(monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "confidential")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-more: confidential")
    with running(otherwise=MockReply(text="rust")) as mock:
        ask(mock)
    [received] = mock.server.requests
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert "confidential" not in str(received.headers)


def test_token_probabilities_and_class_probabilities_are_read():
    letters = MockReply(text="B", logprobs=((("B", -0.1), ("A", -2.5)),))
    with running([letters, MockReply(probabilities={"rust": 0.7, "scab": 0.3})]) as mock:
        tokens = ask(mock, Request(model="m", messages=QUESTION.messages, top_logprobs=5)).completion.tokens
        choices = (AnswerOption(value="rust", description="orange"), AnswerOption(value="scab"))
        native = Request(model="m", messages=QUESTION.messages, api="decisions", choices=choices, instructions="which?")
        shares = ask(mock, native).completion.probabilities
    assert [(a.token, a.logprob) for a in tokens[0]] == [("B", -0.1), ("A", -2.5)]
    assert shares == {"rust": 0.7, "scab": 0.3}
    chat, decisions = mock.server.requests
    assert (chat.body["logprobs"], chat.body["top_logprobs"]) == (True, 5)
    assert decisions.path == "/v1/decisions"
    assert decisions.body["questions"][0]["choices"] == [{"value": "rust", "description": "orange"}, {"value": "scab"}]
    assert decisions.body["input"][0]["content"][1] == {"type": "input_image", "image_url": IMAGE}


def test_every_fault_has_an_expectation():
    assert set(WHAT_BECOMES_OF_IT) == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_becomes_a_value_with_its_cause_and_gives_nothing_away(name, caplog):
    caplog.set_level(logging.DEBUG)
    expected = WHAT_BECOMES_OF_IT[name]
    patience = {} if expected == "timeout" else {"attempt_timeout_s": 30.0, "deadline_s": 60.0}
    with running([Fault(name)] * 2, MockReply(text="yes")) as mock:
        if expected is None:
            assert ask(mock, **patience).completion.text
        else:
            with pytest.raises(CallFault) as caught:
                ask(mock, **patience)
            fault = caught.value
            assert fault.cause == expected
            assert fault.detail
            assert len(mock.server.requests) == (2 if expected in REPEATED and name not in ONCE else 1)
            chain = f"{fault!r} {fault} {fault.detail} {fault.__cause__!r}"
            assert fault.__cause__ is None
            assert KEY not in chain
            assert "QUJDQUJD" not in chain
    assert KEY not in caplog.text
    assert "QUJDQUJD" not in caplog.text


@pytest.mark.parametrize("name", [n for n in FAULTS if WHAT_BECOMES_OF_IT[n] in REPEATED and n not in ONCE])
def test_an_accident_is_repeated_and_forgotten(name):
    with running([Fault(name)], MockReply(text="yes")) as mock:
        answered = ask(mock)
    assert answered.completion.text == "yes"
    assert len(mock.server.requests) == 2


@pytest.mark.parametrize("retry_after", [None, 0.2])
def test_a_rate_limit_is_waited_out_and_takes_no_attempt_away(retry_after):
    with running([Fault("rate-limit", retry_after=retry_after)] * 3, MockReply(text="yes")) as mock:
        assert ask(mock, attempts=1).completion.text == "yes"
    gaps = [b.at - a.at for a, b in zip(mock.server.requests, mock.server.requests[1:], strict=False)]
    assert min(gaps) >= (retry_after or 0)


def test_the_deadline_holds_whatever_the_server_does():
    began = time.perf_counter()
    with (
        running(otherwise=Fault("rate-limit", retry_after=30.0)) as mock,
        pytest.raises(CallFault, match="rate limit reached") as caught,
    ):
        ask(mock, deadline_s=0.3)
    assert caught.value.cause == "rate-limit"
    assert time.perf_counter() - began < 20  # and not the half minute that the server asked for


def test_a_server_that_is_not_there_is_a_network_fault():
    with pytest.raises(CallFault) as caught, running() as mock:
        ask(mock, base_url="http://127.0.0.1:9/v1")
    assert caught.value.cause == "network"


@pytest.mark.parametrize(
    ("without", "left"),
    [
        (("json_schema",), {"response_format": {"type": "json_object"}, "temperature": 0.0}),
        (("json_schema", "json_object"), {"temperature": 0.0}),
        (("max_tokens",), {"max_completion_tokens": 1000}),
        (("temperature",), {"max_tokens": 1000}),
        (("json_schema", "json_object", "temperature", "max_tokens"), {"max_completion_tokens": 1000}),
    ],
)
def test_what_a_server_lacks_is_left_out_and_remembered(without, left):
    with running(otherwise=MockReply(text="yes"), without=without) as mock, wire() as line:
        assert ask(mock, on=line).completion.text == "yes"
        first = len(mock.server.requests)
        again = QUESTION.model_copy(update={"extra": {"seed": 8}})
        assert ask(mock, again, on=line).completion.text == "yes"
    assert first == len(without) + 1
    assert len(mock.server.requests) == first + 1
    body = mock.server.requests[-1].body
    assert left.items() <= body.items()
    assert ("response_format" in body) == ("response_format" in left or "json_schema" not in without)


def test_token_probabilities_cannot_be_done_without():
    question = Request(model="m", messages=QUESTION.messages, top_logprobs=5)
    with running(without=("logprobs",)) as mock, pytest.raises(CallFault, match="choose another `confidence`"):
        ask(mock, question)


def test_the_same_question_is_asked_once_and_failures_are_asked_again():
    def only_yes(completion):
        if completion.text != "yes":
            raise CallFault("invalid-answer", "not yes")

    with running([MockReply(text="no"), MockReply(text="yes")]) as mock, wire() as line:
        with pytest.raises(CallFault, match="not yes") as caught:
            ask(mock, check=only_yes, on=line)
        assert caught.value.usage.input_tokens == 100
        assert not ask(mock, check=only_yes, on=line).cached
        assert ask(mock, check=only_yes, on=line).cached
        assert len(mock.server.requests) == 2
        assert line.budget.spent.calls == 2
        assert line.budget.spent.cached == 1


def test_the_cost_is_that_of_the_price_and_unknown_without_one():
    price = TokenPrice(input=10.0, output=100.0)
    with running(otherwise=MockReply(text="yes", input_tokens=1000, output_tokens=100)) as mock:
        assert ask(mock, price=price).completion.usage.cost_usd == pytest.approx(0.02)
        assert ask(mock).completion.usage.cost_usd is None


def test_the_budget_stops_calls_before_they_are_sent():
    budget = Budget(max_calls=3)
    with running(otherwise=MockReply(text="yes")) as mock, wire(budget=budget) as line:

        async def many():
            questions = [QUESTION.model_copy(update={"extra": {"seed": i}}) for i in range(10)]
            asked = (line.ask(server(mock), "gpt", q, lambda completion: None) for q in questions)
            return await asyncio.gather(*asked, return_exceptions=True)

        results = asyncio.run(many())
    assert len(mock.server.requests) == 3
    assert [r.cause for r in results if isinstance(r, CallFault)] == ["budget"] * 7


def test_a_call_that_may_have_been_charged_counts_against_the_budget():
    budget = Budget(max_cost_usd=1.0)
    with running(otherwise=Fault("hang")) as mock, wire(budget=budget) as line, pytest.raises(CallFault):
        ask(mock, on=line, attempts=1, price=TokenPrice(input=10, output=10))
    assert budget.spent.calls == 1
    assert budget.spent.cost_usd > 0


def test_who_gives_up_ends_the_call():
    with running(otherwise=MockReply(text="yes", delay_s=30)) as mock, wire() as line:

        async def give_up():
            asked = asyncio.ensure_future(line.ask(server(mock, attempt_timeout_s=60), "gpt", QUESTION, print))
            await asyncio.sleep(0.2)
            asked.cancel()
            began = time.perf_counter()
            await asyncio.gather(asked, return_exceptions=True)
            return time.perf_counter() - began

        assert asyncio.run(give_up()) < 20


def test_callers_from_different_event_loops_share_the_wire():
    with running(otherwise=MockReply(text="yes")) as mock, wire() as line:
        for seed in range(3):  # each asyncio.run is a loop of its own
            question = QUESTION.model_copy(update={"extra": {"seed": seed}})
            assert ask(mock, question, on=line).completion.text == "yes"


def test_limits_hold_for_all_who_ask_the_same_model():
    limits = RateLimits(in_flight=4)
    with running(otherwise=MockReply(text="yes"), limits=limits, latency_s=0.05) as mock, wire() as line:

        async def many():
            questions = [QUESTION.model_copy(update={"extra": {"seed": i}}) for i in range(12)]
            return await asyncio.gather(
                *(line.ask(server(mock, in_flight=4), f"agent {i}", q, print) for i, q in enumerate(questions))
            )

        assert len(asyncio.run(many())) == 12
    assert mock.server.refused == 0


def test_a_missing_key_is_told_by_the_name_of_its_variable(monkeypatch):
    monkeypatch.delenv("TEST_KEY")
    with running() as mock, pytest.raises(CallFault, match="TEST_KEY is not set") as caught:
        ask(mock)
    assert caught.value.cause == "authentication"
    assert mock.server.requests == []


def test_the_key_of_openai_goes_to_no_other_host(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert Server(model="m").key() == KEY
    assert Server(model="m", base_url="http://localhost:8000/v1").key() == ""
    assert Server(model="m").base_url == OPENAI


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://user:pw@host/v1", "http://host/v1?key=1"])
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url):
    with pytest.raises(ValueError, match="must"):
        Server(model="m", base_url=url)


def test_texts_are_cleaned_of_keys_and_images():
    dirty = f"Bearer {KEY} and {KEY} and my-own-key and {IMAGE} and {'QUJD' * 60}\n next line"
    clean = harmless(dirty, ["my-own-key"])
    assert KEY not in clean
    assert "my-own-key" not in clean
    assert "QUJD" not in clean
    assert "\n" not in clean
    assert len(harmless("x " * 1000)) <= 200
