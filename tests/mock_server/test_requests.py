"""Every request gets an answer or a reason in OpenAI's form, never silence and no failure that was not asked for."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mock_kit import CHAT, data_url, dry_run, photos_in, post, showing

from doubleread.mock_server import MockReply, running

TOOL = {"type": "function", "function": {"name": "note", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "not": {}}}}
WRONG = {
    "no JSON": (b"{", None),
    "no UTF-8": (b"\xff\xfe", None),
    "no object": (b"[1]", None),
    "an empty body": (b"", None),
    "deep": (b"[" * 100_000, None),
    "half a surrogate pair": (b'{"model": "\\ud800"}', None),
    "no model": ({"messages": CHAT["messages"]}, "model"),
    "no messages": ({"model": "m"}, "messages"),
    "an empty list of messages": ({"model": "m", "messages": []}, "messages"),
    "messages that are text": ({"model": "m", "messages": "hello"}, "messages"),
    "a message that is text": ({"model": "m", "messages": ["hello"]}, "messages[0]"),
    "no role": ({"model": "m", "messages": [{"content": "x"}]}, "messages[0].role"),
    "an unknown role": ({"model": "m", "messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
    "no content": ({"model": "m", "messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    "a part without type": ({"model": "m", "messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0]"),
    "a model that is a number": (CHAT | {"model": 3}, "model"),
    "n as text": (CHAT | {"n": "2"}, "n"),
    "n of 0": (CHAT | {"n": 0}, "n"),
    "no tokens": (CHAT | {"max_tokens": 0}, "max_tokens"),
    "a limit that is text": (CHAT | {"max_completion_tokens": "many"}, "max_completion_tokens"),
    "a high temperature": (CHAT | {"temperature": 3}, "temperature"),
    "stream as text": (CHAT | {"stream": "yes"}, "stream"),
    "alternatives without logprobs": (CHAT | {"top_logprobs": 2}, "top_logprobs"),
    "too many alternatives": (CHAT | {"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    "an unknown format": (CHAT | {"response_format": {"type": "xml"}}, "response_format.type"),
    "a format as text": (CHAT | {"response_format": "json"}, "response_format"),
    "a format without schema": (CHAT | {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    "a schema that nobody could fit": (CHAT | {"response_format": SCHEMA}, "response_format"),
    "a tool without name": (CHAT | {"tools": [{"type": "function"}]}, "tools[0]"),
    "a choice without tools": (CHAT | {"tool_choice": "required"}, "tool_choice"),
    "an unknown choice": (CHAT | {"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
    "an image to download": (CHAT | {"messages": showing("https://example.com/a.jpg")}, None),
    "a file": (CHAT | {"messages": showing("file:///etc/passwd")}, None),
    "broken Base64": (CHAT | {"messages": showing("data:image/png;base64,%%%")}, None),
    "Base64 of nothing": (CHAT | {"messages": showing("data:image/png;base64,")}, None),
    "no image": (CHAT | {"messages": showing(data_url(b"ABC"))}, None),
    "half an image": (CHAT | {"messages": showing(data_url(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"))}, None),
}
PATHS = ("/chat/completions", "/responses", "/decisions", "/systemone")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def mock(photos):
    with running(otherwise=dry_run(photos)) as one:
        yield one


def error_of(response):
    """The error of an answer, which has all fields of OpenAI's."""
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert "Traceback" not in response.text
    return error


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_told_what_is_wrong(mock, name):
    body, param = WRONG[name]
    before = mock.server.answered
    response = post(mock, body)
    assert response.status_code == 400
    assert param is None or error_of(response)["param"] == param
    assert mock.server.answered == before


def test_nothing_is_fetched_or_repeated_of_an_image(mock):
    for url in ("https://example.com/secret.jpg", "data:text/html;base64,QUJD"):
        error = error_of(post(mock, CHAT | {"messages": showing(url)}))
        assert error["code"] == "invalid_image_url"
        assert "secret" not in error["message"]


def test_unknown_addresses_and_methods_answer_in_json(mock):
    assert post(mock, CHAT, "/embeddings").status_code == 404
    assert post(mock, CHAT, "/chat/completions/").status_code == 404
    assert error_of(post(mock, CHAT, "/embeddings"))["message"] == "Invalid URL: POST /v1/embeddings"
    wrong = post(mock, CHAT, "/models")
    assert (wrong.status_code, error_of(wrong)["message"]) == (405, "Not allowed to POST /v1/models")


def test_a_server_that_names_its_models_has_no_others():
    with running(otherwise=MockReply(text="yes"), models=["a/b", "c"]) as mock:
        assert post(mock, CHAT | {"model": "c"}).status_code == 200
        for path in PATHS[:2]:
            refused = post(mock, CHAT | {"input": "x"}, path)
            assert (refused.status_code, error_of(refused)["code"]) == (404, "model_not_found")
    with running(otherwise=MockReply(text="yes")) as anything:
        assert post(anything, CHAT).status_code == 200


def test_a_key_is_asked_for_and_never_repeated():
    with running(otherwise=MockReply(text="yes"), key="right-key") as mock:
        none, wrong, right = (
            post(mock, CHAT, **headers)
            for headers in ({}, {"Authorization": b"Bearer wrong-k\xe9y"}, {"Authorization": "Bearer right-key"})
        )
    assert [one.status_code for one in (none, wrong, right)] == [401, 401, 200]
    assert error_of(wrong)["code"] == "invalid_api_key"
    assert "wrong" not in wrong.text
    assert "right" not in wrong.text


def test_a_failure_of_what_answers_is_an_error_in_json():
    with running(otherwise=lambda received: received.body["nothing"]) as mock:
        failed = post(mock, CHAT)
    assert failed.status_code == 500
    assert error_of(failed)["message"] == "The mock server failed: KeyError: 'nothing'"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_an_answer_ends_at_the_limit_unless_the_server_ignores_it(photos, limit):
    asked = CHAT | {"messages": [{"role": "user", "content": "answer in JSON"}], limit: 5}
    with running(otherwise=dry_run(photos)) as mock:
        whole, cut = post(mock, asked | {limit: 500}).json(), post(mock, asked).json()
    assert (whole["choices"][0]["finish_reason"], cut["choices"][0]["finish_reason"]) == ("stop", "length")
    assert cut["usage"]["completion_tokens"] == 5
    assert whole["choices"][0]["message"]["content"].startswith(cut["choices"][0]["message"]["content"])
    with running(otherwise=dry_run(photos), ignores=[limit]) as deaf:
        assert post(deaf, asked).json() == whole


def test_scripted_answers_are_cut_and_their_stated_tokens_reported():
    replies = [MockReply(text="ten words " * 10), MockReply(text="yes"), MockReply(text="yes", output_tokens=900)]
    with running(replies) as mock:
        said = [post(mock, CHAT | {"max_tokens": 5}).json() for _ in replies]
    assert [one["choices"][0]["finish_reason"] for one in said] == ["length", "stop", "stop"]
    assert [one["usage"]["completion_tokens"] for one in said] == [5, 5, 900]
    assert said[0]["choices"][0]["message"]["content"] == "ten words ten words "


def test_a_server_without_images_says_so(photos):
    shown = CHAT | {"messages": showing(data_url(photos.cases[0].path.read_bytes()))}
    with running(otherwise=dry_run(photos), without=["images"]) as mock:
        assert post(mock, CHAT).status_code == 200
        assert "image input is not supported" in error_of(post(mock, shown))["message"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=9), some, max_size=3),
    max_leaves=8,
)
IMAGES = st.sampled_from(["https://a/b", "data:image/png;base64,QUJD", "data:,x", "", None, 3])
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_text", "input_image", "refusal", "x"])},
    optional={"text": st.text(max_size=9) | JSON, "image_url": IMAGES | st.fixed_dictionaries({"url": IMAGES})},
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "tool"]) | JSON},
    optional={"content": st.text(max_size=20) | st.lists(PARTS | JSON, max_size=3) | JSON},
)
QUESTION = st.fixed_dictionaries(
    {"type": st.sampled_from(["choice", "predicate", "score", "noul"]), "instructions": st.text(max_size=5)},
    optional={
        "choices": st.lists(st.fixed_dictionaries({"value": st.text(max_size=3) | st.booleans()}), max_size=4) | JSON,
        "levels": st.lists(st.fixed_dictionaries({"label": st.text(max_size=3)}), max_size=4) | JSON,
        "criteria": st.dictionaries(st.text(max_size=3), JSON, max_size=3) | st.lists(JSON, max_size=3),
        "name": st.text(max_size=3),
    },
)
SHAPE = st.fixed_dictionaries(
    {"type": st.sampled_from(["json_schema", "json_object", "text"])},
    optional={"json_schema": st.fixed_dictionaries({"name": st.just("s"), "schema": JSON}), "name": st.just("s")},
)
BODIES = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=5) | JSON},
    optional={
        "messages": st.lists(MESSAGES, min_size=1, max_size=3) | JSON,
        "input": st.text(max_size=9) | st.lists(MESSAGES, min_size=1, max_size=3) | JSON,
        "state": JSON,
        "assets": st.dictionaries(st.text(max_size=3), st.fixed_dictionaries({"data_base64": st.text(max_size=8)})),
        "questions": st.lists(QUESTION, min_size=1, max_size=3)
        | st.dictionaries(st.text(max_size=3), QUESTION, min_size=1, max_size=3)
        | JSON,
        "n": st.integers(-1, 3) | JSON,
        "stream": st.booleans() | JSON,
        "stream_options": st.fixed_dictionaries({"include_usage": st.booleans()}) | JSON,
        "max_tokens": st.integers(-1, 50) | JSON,
        "logprobs": st.booleans() | JSON,
        "top_logprobs": st.integers(-1, 22) | JSON,
        "response_format": SHAPE | JSON,
        "text": st.fixed_dictionaries({"format": SHAPE}) | JSON,
        "tools": st.lists(st.just(TOOL) | JSON, max_size=2) | JSON,
        "tool_choice": st.sampled_from(["none", "auto", "required", {"type": "function", "function": {"name": "note"}}])
        | JSON,
    },
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PATHS), body=BODIES)
def test_any_body_gets_an_answer_or_a_reason(mock, path, body):
    response = post(mock, body, path)
    assert response.status_code < 500
    if response.headers["content-type"].startswith("text/event-stream"):
        lines = [line.removeprefix("data: ") for line in response.text.split("\n\n")[:-1]]
        assert lines[-1] == "[DONE]"
        assert all("error" not in json.loads(line) for line in lines[:-1])
    elif response.status_code == 200:
        assert "usage" in response.json()
    else:
        assert error_of(response)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=40), path=st.sampled_from(PATHS))
def test_any_bytes_get_a_reason(mock, path, content):
    assert error_of(post(mock, content, path))


def test_an_image_that_is_none_of_the_photos_is_said_to_be_unknown(photos):
    known = photos.cases[0].path.read_bytes()
    plain = (
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x00\x00\x00\x00\x00,"
        b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )
    with running(otherwise=dry_run(photos)) as mock:
        said = [
            post(mock, CHAT | {"messages": showing(data_url(data), text="JSON, please")}).json()
            for data in (known, plain)
        ]
        image = base64.b64encode(known).decode()
        criteria = dict.fromkeys(photos.task.names, "")
        typed = {"model": "m", "state": {"photo": "p"}, "assets": {"p": {"type": "image", "data_base64": image}}}
        typed["questions"] = {"which": {"type": "choice", "instructions": "?", "criteria": criteria}}
        decided = post(mock, typed, "/systemone").json()["answers"]["which"]
    findings = [json.loads(one["choices"][0]["message"]["content"])["findings"] for one in said]
    assert findings == [
        "mock server: invented answer",
        "mock server: invented answer, as for the most similar of its images",
    ]
    assert decided["choice"] == photos.cases[0].label
    assert sum(decided["probabilities"].values()) == pytest.approx(1)


def test_a_server_may_be_loading_for_a_time(photos):
    says = dry_run(photos, spells={"loading": 60.0, "rate-limit": 90.0})
    with running([MockReply()], says) as mock:
        post(mock, CHAT)
        received = mock.server.requests[0]
    at = [0.0, 59.9, 60.0, 89.9, 90.0]
    said = [says(replace(received, at=1000.0 + s)) for s in at]
    assert [getattr(one, "name", None) for one in said] == ["loading", "loading", "rate-limit", "rate-limit", None]
    with running(otherwise=dry_run(photos, spells={"loading": 600.0})) as mock:
        loading = post(mock, CHAT)
    assert (loading.status_code, loading.json()["error"]["message"]) == (503, "Loading model")
