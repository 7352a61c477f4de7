"""Models through LiteLLM: nothing is fetched, every failure becomes a value, and no key appears in it."""

import asyncio
import sys
from importlib.util import find_spec

import pytest
from models_kit import KEY, says, vlm, wire
from pydantic import ValidationError

from doubleread.agents.wire.addresses import LITELLM
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.reachability import server_problems
from doubleread.agents.wire.request import Request
from doubleread.agents.wire.server_options import Server
from doubleread.core.case import Case
from doubleread.core.opinion import Abstention, Opinion
from doubleread.mock_server import Fault, MockReply, RawReply, running

pytestmark = pytest.mark.skipif(find_spec("litellm") is None, reason="LiteLLM is not installed")
QUESTION = Request(model="openai/mock-1", messages=({"role": "user", "content": [{"type": "text", "text": "which?"}]},))


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def at(monkeypatch):
    """Tells LiteLLM where OpenAI is."""
    return lambda mock: monkeypatch.setenv("OPENAI_API_BASE", mock.base_url)


def fault(request=QUESTION, **options):
    server = Server(**{"model": request.model, "base_url": LITELLM, "attempts": 1, "deadline_s": 20.0, **options})

    async def asked(line):
        return await line.ask(server, "gpt", request, lambda _: None)

    with wire() as line, pytest.raises(CallFault) as caught:
        asyncio.run(asked(line))
    return caught.value


def test_an_agent_reads_an_image_through_litellm(at):
    with running(otherwise=says("rust"), key=KEY) as mock, wire() as line:
        at(mock)
        agent = vlm(LITELLM, line, model="openai/mock-1")
        answers = asyncio.run(twice(agent, Case(id="ff8800" + "0" * 58, source="leaf")))
        assert [(type(one), one.label) for one in answers] == [(Opinion, "rust")] * 2
        [received] = mock.server.requests
    body = received.body
    assert (received.path, body["model"], body["temperature"]) == ("/v1/chat/completions", "mock-1", 0.0)
    assert {"max_tokens", "max_completion_tokens"} & body.keys()
    assert body["response_format"]["type"] == "json_schema"
    assert any(part["type"] == "image_url" for part in body["messages"][1]["content"])


async def twice(agent, case):
    return [await agent.read(case), await agent.read(case)]


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (RawReply(404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}), "not-found"),
        (RawReply(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}), "quota"),
        (
            RawReply(
                400,
                {"error": {"message": "The prompt triggered our content management policy.", "code": "content_filter"}},
            ),
            "filter",
        ),
        (MockReply(finish_reason="length", text="{"), "length"),
        (MockReply(refusal="I cannot."), "refusal"),
        (Fault("server-error"), "server"),
    ],
)
def test_failures_have_the_same_causes_as_without_it(at, reply, cause):
    with running(otherwise=reply) as mock:
        at(mock)
        found = fault()
        assert (found.cause, len(mock.server.requests)) == (cause, 1)


def test_a_refused_key_is_named_by_nobody(at):
    with running(key="another-key-entirely") as mock:
        at(mock)
        found = fault()
    assert found.cause == "authentication"
    assert KEY not in f"{found} {found.detail!r}"
    assert found.__cause__ is found.__context__ is None or KEY not in repr(found.__context__)


def test_a_field_that_is_refused_is_left_out(at):
    with running(otherwise=MockReply(text="rust"), without=["temperature"]) as mock, wire() as line:
        at(mock)
        server = Server(model="openai/mock-1", base_url=LITELLM)

        async def asked():
            return await line.ask(server, "gpt", QUESTION, lambda _: None)

        assert asyncio.run(asked()).completion.text == "rust"
        assert ["temperature" in one.body for one in mock.server.requests] == [True, False]


def test_an_unknown_provider_costs_no_attempts():
    found = fault(Request(model="nobody/x", messages=QUESTION.messages), attempts=4)
    assert "Provider" in found.detail
    assert found.step == "stop"


def test_the_decisions_api_is_not_asked_through_it():
    found = fault(Request(model="openai/mock-1", messages=QUESTION.messages, api="decisions"))
    assert found.cause == "unsupported"


def test_a_missing_key_is_named_before_anything_is_asked(monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    servers = {
        "claude": Server(model="anthropic/claude-sonnet-4-5", base_url=LITELLM),
        "gpt": Server(model="openai/gpt-4o", base_url=LITELLM),
    }
    problems = server_problems(servers)
    assert problems.keys() == {"claude"}
    assert "ANTHROPIC_API_KEY" in problems["claude"].text


def test_without_litellm_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)
    found = fault()
    assert (found.cause, found.step) == ("unsupported", "stop")
    assert "pip install 'doubleread[litellm]'" in found.detail
    [problem] = server_problems({"x": Server(model="openai/x", base_url=LITELLM)}).values()
    assert problem.certain


@pytest.mark.parametrize("name", ["api_base", "api_key", "base_url", "extra_headers", "custom_llm_provider"])
def test_further_fields_cannot_send_a_question_elsewhere(name):
    with pytest.raises(ValidationError, match="through LiteLLM only"):
        Server(model="openai/x", base_url=LITELLM, extra={name: "http://elsewhere"})
    assert Server(model="openai/x", base_url=LITELLM, extra={"top_p": 0.5}).extra == {"top_p": 0.5}


def test_an_agent_whose_provider_fails_abstains(at):
    with running(otherwise=Fault("unauthorized")) as mock, wire() as line:
        at(mock)
        answer = asyncio.run(
            vlm(LITELLM, line, model="openai/mock-1").read(Case(id="ff8800" + "0" * 58, source="leaf"))
        )
    assert isinstance(answer, Abstention)
    assert answer.cause == "authentication"
