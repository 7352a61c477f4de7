"""A panel with two models behind ``transformers serve``: one that can see, and one whose answers are random."""

import json

import pytest
from kit import photo
from models_kit import images, texts
from servers_kit import command_line
from sessions_kit import picture

from doubleread.sessions.engine import Sessions

pytestmark = pytest.mark.servers
CALLS = 2 * 30 + 3 * 4
"""Questions of fitting for each model: two looks at each photo, and three variants of four."""


def bodies(passed, since=0):
    """The questions that reached the server."""
    return [json.loads(body) for body in passed.asked[since:]]


def test_every_question_of_fitting_is_answered_and_paid_once(served_panel):
    profiles = {one.agent: one for one in served_panel.panel.profiles if one.round == 1}
    assert [(profiles[name].n, profiles[name].abstained) for name in ("tiny", "noise")] == [(30, 0)] * 2
    assert profiles["tiny"].accuracy.value > 0.85
    spent = served_panel.panel.spent
    assert (spent["tiny"].calls, spent["noise"].calls) == (CALLS, CALLS)
    asked = [body["model"] for body in bodies(served_panel.passed)][: 2 * CALLS]
    assert (asked.count(served_panel.trained), asked.count(served_panel.random)) == (CALLS, CALLS)
    assert served_panel.passed.repeated() == []
    assert spent["tiny"].output_tokens == 3 * CALLS


def test_second_looks_bring_references_to_the_model(served_panel):
    second = [body for body in bodies(served_panel.passed)[: 2 * CALLS] if len(images(body)) > 1]
    assert len(second) == 2 * 30
    assert all(len(images(body)) == 1 + sum("confirmed label" in text for text in texts(body)[2:]) for body in second)


def test_a_server_that_takes_every_field_teaches_nothing(served_panel):
    for body in bodies(served_panel.passed):
        assert {"max_tokens", "temperature", "response_format"} <= set(body)
        assert body["response_format"]["type"] == "json_schema"
    shown = command_line("models", "show", "--settings", served_panel.file)
    assert "Nothing was learned: every server is sent every field." in shown.stdout


def test_random_answers_are_named_left_out_and_not_paid_for(served_panel, tmp_path):
    assert list(served_panel.panel.left_out) == ["noise"]
    (told,) = [one for one in served_panel.panel.warnings if one.startswith("noise")]
    assert "noise is left out and not asked: on the calibration cases it is no better than chance" in told
    since = len(served_panel.passed.asked)
    verdict = served_panel.panel.diagnose(photo(tmp_path / "new.png", 2, seed=9000))
    assert verdict.label == "red"
    assert "tiny" in {one.agent for one in verdict.opinions}
    assert [body["model"] for body in bodies(served_panel.passed, since)] == [served_panel.trained]


async def test_a_second_look_on_request_reaches_the_server(served_panel, tmp_path):
    sessions = Sessions(served_panel.panel, tmp_path / "sessions")
    session = (await sessions.create()).id
    await sessions.read(session, await sessions.add(session, picture(tmp_path, 1, seed=9100), "new.png"))
    await sessions.settled(session)
    since = len(served_panel.passed.asked)
    await sessions.say(session, "look again")
    await sessions.settled(session)
    await sessions.close()
    (body,) = bodies(served_panel.passed, since)
    assert body["model"] == served_panel.trained
    assert len(images(body)) > 1
