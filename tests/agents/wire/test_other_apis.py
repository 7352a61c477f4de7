"""Models that are served by other APIs than chat completions: Responses, decisions and System One."""

import asyncio

import pytest
from models_kit import wire

from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.request import AnswerOption, Request
from doubleread.agents.wire.server_options import Server
from doubleread.mock_server import MockReply, RawReply, running

IMAGE = "data:image/jpeg;base64," + "QUJD" * 100
SYSTEM = {"role": "system", "content": [{"type": "text", "text": "You are careful."}]}
USER = {
    "role": "user",
    "content": [{"type": "text", "text": "which?"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
}
CHAT = Request(model="m", messages=(SYSTEM, USER), answer_schema={"type": "object"}, max_tokens=300, temperature=0.0)
CHOICES = (AnswerOption(value="rust", description="orange"), AnswerOption(value="scab"))
CHOICE = Request(model="m", messages=(SYSTEM, USER), api="decisions", choices=CHOICES, instructions="which?")
SHARES = {"rust": 0.7, "scab": 0.3}


def ask(mock, request, answers=None, times=1):
    server = Server(model="m", base_url=mock.base_url, attempts=2, attempt_timeout_s=30.0, deadline_s=60.0)

    async def asked(line):
        every = [await line.ask(server, "gpt", request, lambda _: None, sample=i) for i in range(times)]
        return every[-1].completion

    with wire(answers=answers) as line:
        return asyncio.run(asked(line))


def cause(mock, request):
    with pytest.raises(CallFault) as caught:
        ask(mock, request)
    return caught.value.cause, caught.value.detail


def paths(mock):
    return [one.path.removeprefix("/v1") for one in mock.server.requests]


def response(status="completed", output=(), **more):
    return RawReply(200, {"object": "response", "status": status, "output": list(output), "model": "m", **more})


def said(**part):
    return {"type": "message", "role": "assistant", "content": [part]}


ANSWER = said(type="output_text", text="rust")


def test_a_model_with_the_responses_api_only_is_asked_there_from_the_second_call_on(tmp_path):
    cache = AnswerCache(tmp_path / "answers.sqlite")
    letters = MockReply(text="B", logprobs=((("B", -0.1), ("A", -2.5)),), output_tokens=7, cached_tokens=4)
    with running(otherwise=letters, without=["chat_completions"]) as mock:
        found = ask(mock, CHAT.model_copy(update={"top_logprobs": 5}), cache, times=2)
    assert paths(mock) == ["/chat/completions", "/responses", "/responses"]
    assert [(one.model, one.feature) for one in AnswerCache(tmp_path / "answers.sqlite").lessons.all()] == [
        ("m", "chat_completions")
    ]
    assert (found.text, found.model) == ("B", "mock-1")
    assert [(a.token, a.logprob) for a in found.tokens[0]] == [("B", -0.1), ("A", -2.5)]
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.cached_tokens) == (100, 7, 4)
    assert mock.server.requests[-1].body == {
        "model": "m",
        "input": [
            {"role": "system", "content": "You are careful."},
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "which?"}, {"type": "input_image", "image_url": IMAGE}],
            },
        ],
        "max_output_tokens": 300,
        "temperature": 0.0,
        "text": {"format": {"type": "json_schema", "name": "reading", "strict": True, "schema": {"type": "object"}}},
        "top_logprobs": 5,
        "include": ["message.output_text.logprobs"],
        "store": False,
    }


def test_the_responses_api_without_a_temperature_is_learned_too():
    with running(otherwise=MockReply(text="rust"), without=["chat_completions", "temperature"]) as mock:
        assert ask(mock, CHAT).text == "rust"
    assert paths(mock) == ["/chat/completions", "/responses", "/responses"]
    assert "temperature" not in mock.server.requests[-1].body


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (response("incomplete", [ANSWER], incomplete_details={"reason": "max_output_tokens"}), "length"),
        (response("incomplete", [], incomplete_details={"reason": "content_filter"}), "filter"),
        (response(output=[said(type="refusal", refusal="I cannot help with that.")]), "refusal"),
        (response("failed", error={"code": "server_error", "message": "out of luck"}), "server"),
        (response("failed", error={"code": "rate_limit_exceeded", "message": "slow down"}), "rate-limit"),
        (response(), "invalid-answer"),
        (
            response(output=[{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]),
            "invalid-answer",
        ),
        (response(output=[7, None, {"type": "message", "content": "rust"}]), "invalid-answer"),
    ],
)
def test_what_ends_without_an_answer_becomes_its_cause(reply, expected):
    refused = RawReply(404, {"error": {"message": "This model is only supported in v1/responses.", "param": "model"}})
    with running([refused] + [reply] * 3) as mock:
        server = Server(model="m", base_url=mock.base_url, attempts=1, attempt_timeout_s=30.0, deadline_s=1.5)

        async def asked(line):
            return await line.ask(server, "gpt", CHAT, lambda _: None)

        with wire() as line, pytest.raises(CallFault) as caught:
            asyncio.run(asked(line))
    assert caught.value.cause == expected


def test_tools_and_their_results_are_translated():
    tool = {"type": "function", "function": {"name": "count", "description": "Counts.", "parameters": {}}}
    call = {"id": "c1", "type": "function", "function": {"name": "count", "arguments": "{}"}}
    messages = (
        {"role": "user", "content": [{"type": "text", "text": "how many?"}]},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
    )
    request = Request(model="m", messages=messages, extra={"tools": [tool], "reasoning_effort": "low"})
    with running([MockReply(tool_calls=(("count", {"a": 1}),))], without=["chat_completions"]) as mock:
        found = ask(mock, request)
    body = mock.server.requests[-1].body
    assert body["tools"] == [{"type": "function", "name": "count", "description": "Counts.", "parameters": {}}]
    assert body["reasoning"] == {"effort": "low"}
    assert body["input"][1:] == [
        {"type": "function_call", "call_id": "c1", "name": "count", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
    ]
    [called] = found.tool_calls
    assert (called.id, called.name, called.arguments) == ("call-0", "count", '{"a": 1}')


def test_a_question_with_options_has_no_system_message():
    with running([MockReply(probabilities=SHARES)]) as mock:
        assert ask(mock, CHOICE).probabilities == SHARES
    body = mock.server.requests[0].body
    assert [message["role"] for message in body["input"]] == ["user"]
    assert body["questions"][0]["instructions"] == "You are careful.\n\nwhich?"


def test_a_server_without_decisions_is_asked_by_system_one():
    with running(otherwise=MockReply(probabilities=SHARES), without=["decisions"]) as mock:
        assert ask(mock, CHOICE, times=2).probabilities == SHARES
    assert paths(mock) == ["/decisions", "/systemone", "/systemone"]
    assert mock.server.requests[-1].body == {
        "model": "m",
        "state": USER["content"],
        "questions": {
            "reading": {
                "type": "choice",
                "instructions": "You are careful.\n\nwhich?",
                "criteria": {"rust": "orange", "scab": "scab"},
            }
        },
    }


def test_a_server_with_neither_says_so_after_two_calls():
    with running([RawReply(404, {"detail": "Not Found"}), RawReply(405, "")]) as mock:
        found, detail = cause(mock, CHOICE)
    assert (found, len(mock.server.requests)) == ("unsupported", 2)
    assert "choose another `confidence`" in detail


def test_an_unknown_model_is_not_looked_for_elsewhere():
    unknown = {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}
    for request in (CHAT, CHOICE):
        with running(otherwise=RawReply(404, unknown)) as mock:
            assert cause(mock, request)[0] == "not-found"
        assert len(mock.server.requests) == 1


@pytest.mark.parametrize(
    "reply", [MockReply(refusal="no"), RawReply(200, {"answers": {"reading": {"type": "refusal"}}})]
)
def test_a_declined_question_is_a_refusal(reply):
    with running([reply]) as mock:
        assert cause(mock, CHOICE)[0] == "refusal"


@pytest.mark.parametrize(
    "words",
    ["Streaming responses are not supported here.", "Use shorter responses.", "Only JSON responses can be given."],
)
def test_words_about_responses_send_nobody_to_the_responses_api(words):
    with running(otherwise=RawReply(400, {"error": {"message": words}})) as mock:
        assert words in cause(mock, CHAT)[1]
    assert set(paths(mock)) == {"/chat/completions"}


def test_without_a_responses_api_the_models_own_refusal_counts(tmp_path):
    cache = AnswerCache(tmp_path / "answers.sqlite")
    refused = RawReply(404, {"error": {"message": "This model is only supported in v1/responses.", "param": "model"}})
    with (
        running([refused, RawReply(404, {"detail": "Not Found"})]) as mock,
        pytest.raises(CallFault, match="only supported in v1/responses"),
    ):
        ask(mock, CHAT, cache)
    assert paths(mock) == ["/chat/completions", "/responses"]
    assert AnswerCache(tmp_path / "answers.sqlite").lessons.all() == ()


def test_a_limit_below_that_of_the_responses_api_teaches_nothing():
    long = MockReply(text="rust", output_tokens=16)
    with running(otherwise=long, without=["chat_completions"], ignores=["max_output_tokens"]) as mock:
        ask(mock, CHAT.model_copy(update={"max_tokens": 1}), times=2)
    assert [one.body["max_output_tokens"] for one in mock.server.requests[1:]] == [16, 16]
