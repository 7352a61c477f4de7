"""The dry run is what OpenAI's own client for Python expects: answers, streams, tools, schemas and errors."""

import asyncio
from enum import StrEnum

import openai
import pytest
from mock_kit import data_url, dry_run, photos_in, showing
from pydantic import BaseModel

from doubleread.mock_server import Fault, MockReply, running

HELLO = [{"role": "user", "content": "hello"}]
NOTE = {
    "type": "object",
    "properties": {"diagnosis": {"type": "string", "enum": ["blue", "green", "red"]}, "sure": {"type": "boolean"}},
    "required": ["diagnosis", "sure"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": "note", "parameters": NOTE, "strict": True}}]


class Colour(StrEnum):
    blue = "blue"
    green = "green"
    red = "red"


class Reading(BaseModel):
    """A format that the project does not have."""

    seen: list[str]
    colour: Colour
    second: Colour | None


def client_of(mock):
    return openai.OpenAI(base_url=mock.base_url, api_key="k", max_retries=0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def case(photos):
    return photos.cases[-1]


@pytest.fixture(scope="module")
def shown(case):
    return showing(data_url(case.path.read_bytes()))


@pytest.fixture(scope="module")
def client(photos):
    models = ["mock-1", "org/mock-2"]
    with running(otherwise=dry_run(photos), models=models) as mock, client_of(mock) as one:
        yield one


def test_a_chat_has_as_many_choices_as_were_asked_for(client, case, shown):
    chat = client.chat.completions.create(model="org/mock-2", messages=shown, n=3)
    assert [choice.index for choice in chat.choices] == [0, 1, 2]
    assert all(case.label in choice.message.content for choice in chat.choices)
    assert chat.model == "org/mock-2"
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
    alone = client.chat.completions.create(model="org/mock-2", messages=shown)
    assert chat.usage.completion_tokens == 3 * alone.usage.completion_tokens


@pytest.mark.parametrize("n", [1, 2])
def test_a_stream_adds_up_to_the_whole_answer(client, shown, n):
    asked = {"model": "mock-1", "messages": shown, "n": n, "max_completion_tokens": 9}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert all(chunk.usage is None for chunk in chunks[:-1])
    for choice in whole.choices:
        mine = [one for chunk in chunks for one in chunk.choices if one.index == choice.index]
        assert "".join(one.delta.content or "" for one in mine) == choice.message.content
        assert [one.finish_reason for one in mine] == [None] * (len(mine) - 1) + ["length"]


def test_the_clients_own_streams_put_it_together(client, shown):
    with client.chat.completions.stream(model="mock-1", messages=shown, response_format=Reading) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.parsed.colour == "red"


def test_foreign_formats_and_tools_are_filled(client, case, shown):
    parsed = client.chat.completions.parse(model="mock-1", messages=shown, response_format=Reading)
    assert parsed.choices[0].message.parsed.colour == case.label
    said = client.chat.completions.create(model="mock-1", messages=shown, response_format={"type": "json_object"})
    assert f'"label": "{case.label}"' in said.choices[0].message.content
    plain = client.chat.completions.create(model="mock-1", messages=shown, tools=TOOLS)
    assert (plain.choices[0].finish_reason, plain.choices[0].message.tool_calls) == ("stop", None)
    for choice in ("required", {"type": "function", "function": {"name": "note"}}):
        called = client.chat.completions.create(model="mock-1", messages=shown, tools=TOOLS, tool_choice=choice)
        call = called.choices[0].message.tool_calls[0]
        assert called.choices[0].finish_reason == "tool_calls"
        assert (call.function.name, call.function.arguments) == ("note", '{"diagnosis": "red", "sure": true}')
    answered = [*shown, called.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "noted"}]
    assert client.chat.completions.create(model="mock-1", messages=answered).choices[0].message.content


def test_tool_calls_are_streamed(client, shown):
    with client.chat.completions.stream(model="mock-1", messages=shown, tools=TOOLS, tool_choice="required") as stream:
        for _ in stream:
            pass
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("note", '{"diagnosis": "red", "sure": true}')


@pytest.mark.parametrize(("wanted", "alternatives"), [({}, 0), ({"top_logprobs": 2}, 2)])
def test_logprobs_have_the_alternatives_that_were_asked_for(client, wanted, alternatives):
    letters = [{"role": "user", "content": "Which?\nA: blue\nB: green\nC: red"}]
    chat = client.chat.completions.create(model="mock-1", messages=letters, logprobs=True, **wanted)
    token = chat.choices[0].logprobs.content[0]
    assert token.token == chat.choices[0].message.content
    assert len(token.top_logprobs) == alternatives
    text = client.chat.completions.create(model="mock-1", messages=HELLO, logprobs=True).choices[0]
    assert "".join(one.token for one in text.logprobs.content) == text.message.content


def test_models_are_listed_and_found(client):
    assert [model.id for model in client.models.list()] == ["mock-1", "org/mock-2"]
    assert client.models.retrieve("org/mock-2").id == "org/mock-2"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("mock-3")


def test_responses_answer_texts_images_schemas_and_tools(client, case):
    parts = [
        {"type": "input_text", "text": "Which?"},
        {"type": "input_image", "detail": "auto", "image_url": data_url(case.path.read_bytes())},
    ]
    asked = {"model": "mock-1", "instructions": "Be brief.", "input": [{"role": "user", "content": parts}]}
    in_json = {**asked, "text": {"format": {"type": "json_object"}}}
    cut, whole = client.responses.create(**in_json, max_output_tokens=16), client.responses.create(**in_json)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert cut.usage.output_tokens == 16
    assert whole.output_text.startswith(cut.output_text)
    assert (whole.status, whole.error) == ("completed", None)
    assert case.label in whole.output_text
    assert client.responses.parse(**asked, text_format=Reading).output_parsed.colour == case.label
    tools = [{"type": "function", "name": "note", "parameters": NOTE, "strict": True}]
    call = client.responses.create(**asked, tools=tools, tool_choice="required").output[0]
    assert (call.type, call.name, call.arguments) == ("function_call", "note", '{"diagnosis": "red", "sure": true}')
    logprobs = client.responses.create(**asked, include=["message.output_text.logprobs"], top_logprobs=1)
    assert logprobs.output[0].content[0].logprobs[0].top_logprobs
    for refused in ({"stream": True}, {"previous_response_id": "resp_1"}):
        with pytest.raises(openai.BadRequestError, match=r"stream|Previous response"):
            client.responses.create(**asked, **refused)


def test_decisions_answer_every_question(client, case):
    parts = [{"type": "input_image", "image_url": data_url(case.path.read_bytes())}]
    questions = [
        {"type": "choice", "name": "hue", "instructions": "?", "choices": [{"value": "blue"}, {"value": "red"}]},
        {"type": "predicate", "instructions": "?"},
        {"type": "score", "instructions": "?", "levels": [{"label": "low"}, {"label": "high"}]},
    ]
    given = [{"role": "system", "content": "x"}, {"role": "user", "content": parts}]
    made = client.decisions.create(model="mock-1", input=given, questions=questions)
    hue, predicate, score = made.answers
    assert (hue.name, hue.choice, predicate.probability, score.score) == ("hue", "red", 0.5, 0.5)
    assert sum(one.probability for one in hue.probabilities) == pytest.approx(1)
    with pytest.raises(openai.BadRequestError):
        client.decisions.create(model="mock-1", input="x", questions=[questions[0] | {"choices": [{"value": "a"}]}])


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("unauthorized", openai.AuthenticationError),
        ("forbidden", openai.PermissionDeniedError),
        ("not-found", openai.NotFoundError),
        ("bad-request", openai.BadRequestError),
        ("unprocessable", openai.UnprocessableEntityError),
        ("rate-limit", openai.RateLimitError),
        ("server-error", openai.InternalServerError),
        ("loading", openai.InternalServerError),
        ("overloaded", openai.InternalServerError),
        ("disconnect", openai.APIConnectionError),
    ],
)
def test_faults_are_the_exceptions_of_the_client(fault, kind):
    with running(otherwise=Fault(fault)) as mock, client_of(mock) as client, pytest.raises(kind):
        client.chat.completions.create(model="m", messages=HELLO)


def test_mistakes_are_the_exceptions_of_the_client(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="mock-3", messages=HELLO)
    assert (unknown.value.code, unknown.value.type) == ("model_not_found", "invalid_request_error")
    with pytest.raises(openai.BadRequestError) as fetched:
        client.chat.completions.create(model="mock-1", messages=showing("https://example.com/a.jpg"))
    assert fetched.value.param == "messages[0].content[1].image_url"
    with running(key="right") as mock, client_of(mock) as one, pytest.raises(openai.AuthenticationError) as refused:
        one.models.list()
    assert refused.value.code == "invalid_api_key"


def test_refusals_and_filters_are_streamed_too():
    replies = [MockReply(refusal="I can't help with that."), MockReply(text="a", finish_reason="content_filter")]
    with running(replies) as mock, client_of(mock) as client:
        refused, filtered = (list(client.chat.completions.create(model="m", messages=HELLO, stream=True)) for _ in "12")
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in refused) == "I can't help with that."
    assert filtered[-1].choices[0].finish_reason == "content_filter"


def test_answers_are_the_same_every_time_and_for_the_asynchronous_client(client, photos, shown):
    async def several(base_url):
        async with openai.AsyncOpenAI(base_url=base_url, api_key="k") as one:
            asked = [one.chat.completions.create(model="mock-1", messages=shown) for _ in range(4)]
            stream = await one.chat.completions.create(model="mock-1", messages=shown, stream=True)
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return [chat.choices[0].message.content for chat in await asyncio.gather(*asked)], "".join(said)

    with running(otherwise=dry_run(photos)) as mock:
        texts, streamed = asyncio.run(several(mock.base_url))
    here = client.chat.completions.create(model="mock-1", messages=shown)
    assert {*texts, streamed} == {here.choices[0].message.content}
