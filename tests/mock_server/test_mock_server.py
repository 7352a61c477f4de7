"""The loopback server: faults that are real on the wire, limits, and dry runs."""

import asyncio
import json
import time

import httpx2
import numpy as np
import openai
import pytest
from kit import case_of, opinion
from mock_kit import CHAT, dry_run, photos_in, post
from models_kit import vlm, wire
from PIL import Image

from doubleread.agents.recorded.book import AnswerBook
from doubleread.cli.cmd_mock_server import _faults
from doubleread.core.errors import DataError
from doubleread.core.opinion import Opinion
from doubleread.core.task import Task
from doubleread.mock_server import Fault, MockReply, RateLimits, read_script, running
from doubleread.mock_server.dry_run import thumbnail
from doubleread.mock_server.injected_faults import FAULTS
from doubleread.rag.images.case_images import Images


def test_the_vendors_own_client_understands_it():
    async def ask(base_url):
        async with openai.AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
            chat = await client.chat.completions.create(model="m", messages=CHAT["messages"])
            question = {"type": "choice", "instructions": "?", "choices": [{"value": "a"}, {"value": "b"}]}
            decision = await client.decisions.create(model="m", input="x", questions=[question])
            models = await client.models.list()
            return chat, decision, models

    with running(
        [MockReply(text="hi", logprobs=((("hi", -0.5),),)), MockReply(probabilities={"a": 0.9, "b": 0.1})]
    ) as mock:
        chat, decision, models = asyncio.run(ask(mock.base_url))
    assert chat.choices[0].message.content == "hi"
    assert chat.choices[0].logprobs.content[0].top_logprobs[0].logprob == -0.5
    assert chat.usage.total_tokens == 120
    assert decision.answers[0].choice == "a"
    assert [model.id for model in models.data] == ["mock-1"]


def test_replies_come_in_order_and_requests_are_kept():
    with running([MockReply(text="one"), MockReply(text="two")], lambda r: MockReply(text=r.body["model"])) as mock:
        said = [post(mock, Authorization="Bearer k").json()["choices"][0]["message"]["content"] for _ in range(3)]
    assert said == ["one", "two", "m"]
    assert [r.headers["authorization"] for r in mock.server.requests] == ["Bearer k"] * 3
    assert mock.server.answered == 3


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("rate-limit", 429),
        ("quota", 429),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not-found", 404),
        ("too-large", 413),
        ("bad-request", 400),
        ("unprocessable", 422),
        ("server-error", 500),
        ("overloaded", 529),
        ("redirect", 307),
    ],
)
def test_faults_with_a_status_have_it(fault, status):
    with running([Fault(fault)]) as mock:
        response = post(mock)
    assert response.status_code == status
    assert status == 307 or response.json()["error"]["message"]


def test_faults_below_the_protocol_are_real():
    with running([Fault("hang"), Fault("drip")]) as mock:
        for _ in range(2):
            with pytest.raises((httpx2.ReadTimeout, TimeoutError)), httpx2.Client(timeout=0.3) as client:
                dripping(client, mock)
    with running([Fault("disconnect")]) as mock, pytest.raises(httpx2.RemoteProtocolError):
        post(mock)
    with running([Fault("html"), Fault("broken-json"), Fault("empty-body")]) as mock:
        assert post(mock).headers["content-type"].startswith("text/html")
        for _ in range(2):
            with pytest.raises(json.JSONDecodeError):
                post(mock).json()


def dripping(client, mock):
    """Reads a body that trickles in; gives up after half a second in all."""

    until = time.monotonic() + 0.5
    with client.stream("POST", mock.base_url + "/chat/completions", json=CHAT) as response:
        for _ in response.iter_raw():
            if time.monotonic() > until:
                raise TimeoutError


def test_the_seconds_to_wait_stand_in_the_header_that_can_hold_them():
    with running(
        [Fault("rate-limit", retry_after=2), Fault("rate-limit", retry_after=0.25), Fault("rate-limit")]
    ) as mock:
        long, short, none = (post(mock).headers for _ in range(3))
    assert long["retry-after"] == "2"
    assert short["retry-after-ms"] == "250"
    assert "retry-after" not in none


def test_limits_turn_away_what_is_too_much():
    with running(otherwise=MockReply(), limits=RateLimits(requests_per_minute=60, burst=2)) as mock:
        assert [post(mock).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert mock.server.refused == 2


@pytest.mark.parametrize("feature", ["temperature", "logprobs", "json_schema", "json_object", "max_completion_tokens"])
def test_a_feature_it_lacks_is_named(feature):
    used = {
        "temperature": {"temperature": 0},
        "logprobs": {"logprobs": True},
        "json_schema": {"response_format": {"type": "json_schema"}},
        "json_object": {"response_format": {"type": "json_object"}},
        "max_completion_tokens": {"max_completion_tokens": 5},
    }
    with running(otherwise=MockReply(), without=[feature]) as mock:
        refused, plain = post(mock, CHAT | used[feature]), post(mock)
    assert refused.status_code == 400
    assert feature in refused.json()["error"]["message"]
    assert plain.status_code == 200


@pytest.fixture
def photos(tmp_path):
    return photos_in(tmp_path / "photos")


@pytest.mark.parametrize("confidence", ["verbalized-distribution", "verbalized", "logprobs", "class-probabilities"])
@pytest.mark.parametrize("without", [(), ("json_schema", "json_object")])
async def test_a_dry_run_knows_the_image_again_and_answers_in_every_form(photos, confidence, without):
    with running(otherwise=dry_run(photos, accuracy=1.0), without=without) as mock, wire() as line:
        agent = vlm(mock.base_url, line, task=photos.task, confidence=confidence, image_side=64, attempt_timeout_s=5)
        agent._context.pictures._images = Images()
        answers = [await agent.read(case) for case in photos.cases]
    assert [answer.label for answer in answers] == [case.label for case in photos.cases]
    if confidence.startswith("verbalized"):
        assert {answer.reason for answer in answers} == {"mock server: invented answer"}


async def test_invented_answers_are_right_as_often_as_they_should_be(photos):
    says = dry_run(photos, accuracy=0.6)
    chosen = [
        says._invented(case_of(str(i), label="red"), "m", round_, photos.task.names)[0]
        for round_ in (1, 2)
        for i in range(400)
    ]
    right = [max(shares, key=shares.get) == "red" for shares in chosen]
    assert np.mean(right[:400]) == pytest.approx(0.6, abs=0.08)
    assert np.mean(right[400:]) == pytest.approx(0.8, abs=0.08)


async def test_recorded_answers_are_given_where_there_are_some(photos):
    case = photos.cases[3]
    task = Task.of("photos", photos.task.names)
    said = opinion("gpt", 0.2, 0.5, 0.3, task=task).model_copy(update={"reason": "as recorded"})
    book = AnswerBook({("gpt", 1, case.id): said})
    with running(otherwise=dry_run(photos, accuracy=1.0, book=book)) as mock, wire() as line:
        agent = vlm(mock.base_url, line, task=task, attempt_timeout_s=5)
        agent._context.pictures._images = Images()
        answer = await agent.read(case)
    assert isinstance(answer, Opinion)
    assert answer.probabilities == pytest.approx(said.probabilities)
    assert answer.reason == "as recorded"


def test_a_share_of_requests_may_fail(photos):
    says = dry_run(photos, accuracy=1.0, faults={"quota": 1.0})
    with running(otherwise=says) as mock:
        assert post(mock).status_code == 429
    assert _faults(["rate-limit=0.05", "html"]) == ({"rate-limit": 0.05, "html": 1.0}, {})
    assert _faults(["loading=60s", "html=1.5s"]) == ({}, {"loading": 60.0, "html": 1.5})
    for wrong in ("rate-limit=often", "no-such=0.1", "html=7", "html=-1", "html=nan", "loading=..s", "loading=-3s"):
        with pytest.raises(DataError, match="--fault"):
            _faults([wrong])


def test_a_script_is_read_line_by_line(tmp_path):
    file = tmp_path / "script.jsonl"
    file.write_text('{"text": "yes", "delay_s": 0.1}\n\n{"fault": "rate-limit", "retry_after": 2}\n')
    assert read_script(file) == [MockReply(text="yes", delay_s=0.1), Fault("rate-limit", retry_after=2)]
    for wrong in ("nonsense", '{"txt": "yes"}', "[1]"):
        file.write_text(wrong)
        with pytest.raises(DataError, match="is no reply"):
            read_script(file)


def test_every_fault_is_a_name_that_users_can_type():
    assert all(name == name.lower() and " " not in name for name in FAULTS)


def test_a_thumbnail_survives_scaling_and_jpeg(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).resize((300, 300)) for _ in range(2)]
    pictures[0].resize((128, 128)).save(tmp_path / "a.jpg", quality=80)
    near, far = (
        np.abs(thumbnail(Image.open(tmp_path / "a.jpg")).astype(int) - thumbnail(p).astype(int)).mean()
        for p in pictures
    )
    assert near < 10 < far
