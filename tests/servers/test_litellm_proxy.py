"""A panel behind LiteLLM's proxy, which passes questions on to the mock server and has words of its own."""

import asyncio
import json
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from kit import photo
from mock_kit import dry_run
from models_kit import vlm, wire
from servers_kit import command_line, free_port, served, server_program

from doubleread.agents.wire.answers import AnswerCache
from doubleread.core.errors import PanelError
from doubleread.core.opinion import Opinion
from doubleread.mock_server import Running, running
from doubleread.panel import Panel

pytestmark = pytest.mark.servers
MASTER, UPSTREAM = "sk-master-0123456789", "sk-upstream-0123456789"
LOADING_S = 4.0
CALLS = 2 * 30 + 3 * 4


class ServedProxy(NamedTuple):
    """The proxy's address, and the mock server behind its model ``good``."""

    base_url: str
    mock: Running


@pytest.fixture(scope="module")
def proxy(dataset, tmp_path_factory):
    """A proxy without a database, which takes only its master key."""
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    with ExitStack() as servers:
        mock = servers.enter_context(running(otherwise=dry_run(dataset), key=UPSTREAM, models=["mock-1", "o3"]))
        picky = servers.enter_context(running(otherwise=dry_run(dataset), without=["json_schema"]))
        slow = servers.enter_context(running(otherwise=dry_run(dataset, spells={"loading": LOADING_S})))
        listed = [
            _row("good", "mock-1", mock.base_url),
            _row("reasoning", "o3", mock.base_url),
            _row("unknown-upstream", "other", mock.base_url),
            _row("refused-upstream", "mock-1", mock.base_url, key="sk-wrong"),
            _row("picky", "mock-1", picky.base_url),
            _row("slow", "mock-1", slow.base_url),
            _row("gone", "mock-1", f"http://127.0.0.1:{free_port()}/v1"),
        ]
        rules = {"general_settings": {"master_key": MASTER}, "router_settings": {"num_retries": 0}}
        config = folder / "config.yaml"
        config.write_text(json.dumps({"model_list": listed, **rules, "litellm_settings": {"telemetry": False}}))
        command = [server_program("litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        servers.enter_context(served(command, f"http://127.0.0.1:{port}/health/liveliness", folder / "proxy.log"))
        yield ServedProxy(f"http://127.0.0.1:{port}/v1", mock)


def _row(name, model, base_url, key=UPSTREAM):
    """A model of the proxy, which is another one behind it."""
    return {"model_name": name, "litellm_params": {"model": f"openai/{model}", "api_base": base_url, "api_key": key}}


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    monkeypatch.setenv("PROXY_KEY", MASTER)
    monkeypatch.setenv("WRONG_KEY", "sk-wrong-0123456789")


def asked(proxy, dataset, model, cache=None, **options):
    """What an agent says of the first photo, and what it learned about the proxy."""
    chosen = {"key_variable": "PROXY_KEY", "model": model, **options}
    with wire(answers=AnswerCache(cache)) as line:
        answer = asyncio.run(vlm(proxy.base_url, line, task=dataset.task, **chosen).read(dataset.cases[0]))
        return answer, [one.feature for one in line._answers.lessons.all()]


def test_a_panel_is_fitted_and_diagnoses_through_the_proxy(proxy, settings_for, dataset, tmp_path):
    before = len(proxy.mock.server.requests)
    gpt = {"model": "good", "base_url": proxy.base_url, "key_variable": "PROXY_KEY"}
    settings = settings_for({"gpt": gpt}, panel={"agents": ["gpt"]})  # beside better ones it might not be kept
    with Panel.fit(dataset.cases, dataset.task, settings=settings) as panel:
        assert panel.spent["gpt"].calls == CALLS
        assert panel.spent["gpt"].input_tokens > 0
        panel.save(tmp_path / "panel")
    assert len(proxy.mock.server.requests) == before + CALLS
    with Panel.load(tmp_path / "panel", settings=settings) as panel:
        verdict = panel.diagnose(photo(tmp_path / "new.png", 2, seed=9000))
    assert verdict.label == "red"
    assert [one.agent for one in verdict.opinions] == ["gpt"]
    assert len(proxy.mock.server.requests) == before + CALLS + 1


@pytest.mark.parametrize(
    ("model", "key", "cause", "words"),
    [
        ("good", "WRONG_KEY", "authentication", "No connected db."),
        ("nope", "PROXY_KEY", "not-found", "Invalid model name passed in model=nope"),
        ("unknown-upstream", "PROXY_KEY", "not-found", "The model `other` does not exist"),
        ("refused-upstream", "PROXY_KEY", "authentication", "Incorrect API key provided"),
        ("gone", "PROXY_KEY", "server", "Connection error"),
    ],
)
def test_a_refusal_has_its_cause_and_the_words_of_whoever_refused(proxy, dataset, model, key, cause, words):
    answer, learned = asked(proxy, dataset, model, key_variable=key)
    assert (answer.cause, learned) == (cause, [])
    assert words in answer.detail
    assert MASTER not in answer.detail
    assert UPSTREAM not in answer.detail


@pytest.mark.parametrize(("key", "model"), [("WRONG_KEY", "good"), ("PROXY_KEY", "nope")])
def test_a_wrong_key_and_an_unknown_model_stop_fitting_at_once(proxy, settings_for, dataset, key, model):
    before = len(proxy.mock.server.requests)
    settings = settings_for({"gpt": {"model": model, "base_url": proxy.base_url, "key_variable": key}})
    cause = {"good": "authentication", "nope": "not-found"}[model]
    with pytest.raises(PanelError, match=rf"agent gpt cannot answer: 0 of .*\({cause}\)"):
        Panel.fit(dataset.cases, dataset.task, settings=settings)
    assert len(proxy.mock.server.requests) == before


def test_a_field_that_is_refused_behind_or_by_the_proxy_is_left_out_and_shown(proxy, settings_file, dataset):
    file = settings_file({})
    for model, feature in (("picky", "json_schema"), ("reasoning", "temperature")):
        answer, learned = asked(proxy, dataset, model, file.with_name("answers.sqlite"))
        assert isinstance(answer, Opinion)
        assert (feature in learned, answer.usage.calls) == (True, 2)
    shown = " ".join(command_line("models", "show", "--settings", file).stdout.split())
    assert "picky the schema of the answer" in shown
    assert "reasoning the temperature" in shown


def test_a_model_that_is_loading_behind_the_proxy_is_waited_for(proxy, dataset):
    answer, learned = asked(proxy, dataset, "slow")
    assert isinstance(answer, Opinion)
    assert answer.seconds >= LOADING_S
    assert (learned, answer.usage.calls > 1) == ([], True)
