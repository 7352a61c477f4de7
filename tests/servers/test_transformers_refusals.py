"""What ``transformers serve`` refuses and cuts off, and a server that is not there yet."""

import asyncio

import pytest
from kit import photo
from models_kit import vlm, wire
from servers_kit import free_port

from doubleread.core.errors import PanelError
from doubleread.core.notices import DoublereadWarning
from doubleread.panel import Panel

pytestmark = pytest.mark.servers


def asked(base_url, dataset, **options):
    """What an agent says of the first photo, and what it learned about the server."""
    with wire() as line:
        answer = asyncio.run(vlm(base_url, line, task=dataset.task, **options).read(dataset.cases[0]))
        return answer, [one.feature for one in line._answers.lessons.all()]


@pytest.mark.parametrize(
    ("options", "cause", "words"),
    [
        ({"max_tokens": 1}, "length", "cut off after 1 tokens: raise max_tokens"),
        ({"extra": {"zebra": 1}}, "bad-request", "Unexpected fields in the request: {'zebra'}"),
        ({"confidence": "logprobs"}, "unsupported", "choose another `confidence`"),
        ({"model": "nope"}, "server", "Internal Server Error"),  # it looks for the name on the hub, and fails
    ],
)
def test_a_failure_has_its_cause_and_the_servers_words(server, dataset, options, cause, words):
    answer, learned = asked(server.base_url, dataset, **{"model": server.trained, **options})
    assert (answer.cause, learned) == (cause, [])
    assert words in answer.detail


def test_a_server_without_decisions_is_asked_by_system_one(server, dataset):
    options = {"model": server.trained, "confidence": "class-probabilities"}
    answer, learned = asked(server.base_url, dataset, **options)
    assert set(answer.probabilities) == set(dataset.task.names)
    assert learned == ["decisions"]


def test_too_small_a_limit_of_tokens_stops_fitting_with_the_remedy(server, settings_for, dataset):
    settings = settings_for({"tiny": {"model": server.trained, "base_url": server.base_url, "max_tokens": 1}})
    with pytest.raises(PanelError, match=r"agent tiny cannot answer: 0 of .*\(length\).*Raise its max_tokens"):
        Panel.fit(dataset.cases, dataset.task, settings=settings)


def test_a_server_that_starts_later_is_missed_and_then_heard(
    transformers, served_panel, settings_for, dataset, tmp_path
):
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    late = settings_for({"tiny": {"model": served_panel.trained, "base_url": url}})
    with pytest.raises(PanelError, match=r"agent tiny cannot answer: .* no connection .*is the server running"):
        Panel.fit(dataset.cases, dataset.task, settings=late)
    with pytest.warns(DoublereadWarning, match="Verdicts will lack this agent until it answers"):
        panel = Panel.load(served_panel.folder, settings=late)
    with panel:
        verdict = panel.diagnose(photo(tmp_path / "new.png", 0, seed=9200))
        assert [(one.agent, one.cause) for one in verdict.abstentions] == [("tiny", "network")]
        assert verdict.label == "blue"
        with transformers(port, served_panel.trained):
            verdict = panel.diagnose(tmp_path / "new.png")
            assert "tiny" in {one.agent for one in verdict.opinions}
            _only_its_own_model(url, settings_for, dataset)


def _only_its_own_model(url, settings_for, dataset):
    """A server that was started for one model refuses all others."""
    answer, _ = asked(url, dataset, model="nope")
    assert answer.cause == "not-found"
    assert "requested 'nope'" in answer.detail
    settings = settings_for({"tiny": {"model": "nope", "base_url": url}})
    with pytest.raises(PanelError, match=r"\(not-found\): HTTP 400: Server is pinned to .*Check its model"):
        Panel.fit(dataset.cases, dataset.task, settings=settings)
