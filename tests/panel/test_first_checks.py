"""What is said before anything slow: tables that seat no agent, and servers that are not there."""

import pytest

from doubleread.cli.cmd_mock_server import settings_text
from doubleread.core.errors import PanelError
from doubleread.core.notices import DoublereadWarning
from doubleread.mock_server import running
from doubleread.panel import Panel
from doubleread.panel.first_checks import check_first, unseated
from doubleread.settings import load_settings

GONE = "http://127.0.0.1:9/v1"


def settings(plain, **sections):
    own = {"encoder": plain.encoder.model_dump(), "trust": {"folds": 2}, "panel": {"agents": ["neighbours"]}}
    return load_settings(None, {**own, **sections})


TABLES = {
    "vlm": {"gpt": {"model": "m", "base_url": GONE}},
    "reasoner": {"judge": {"model": "m", "base_url": GONE}},
    "recorded": {"old": {"file": "answers.jsonl"}},
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_seats_no_agent_is_said_when_fitting_and_when_loading(plain, dataset, saved, kind):
    (name,) = TABLES[kind]
    given = settings(plain, **{kind: TABLES[kind]})
    with pytest.warns(DoublereadWarning) as told:
        Panel.fit(dataset.cases, dataset.task, settings=given).close()
    (line,) = [str(one.message) for one in told if f"[{kind}.{name}]" in str(one.message)]
    assert f"--agents neighbours,{name}" in line
    with pytest.warns(DoublereadWarning) as told, Panel.load(saved, settings=given):
        pass
    assert [str(one.message) for one in told if "this panel was fitted without it. Fit again" in str(one.message)]


def test_an_agent_whose_server_is_gone_stops_fitting_before_anything_is_read(plain):
    given = settings(plain, vlm=TABLES["vlm"], panel={"agents": ["neighbours", "gpt"]})
    with pytest.raises(PanelError, match=r"agent gpt cannot answer: http://127.0.0.1:9/v1: no connection.*--agents"):
        Panel.fit((), None, settings=given)


def test_nothing_is_said_of_settings_that_are_right(plain, recwarn):
    with running() as mock:
        check_first(settings(plain, vlm={"gpt": {"model": "mock-1", "base_url": mock.base_url}},
                             panel={"agents": ["neighbours", "gpt"]}))  # fmt: skip
    assert not [one for one in recwarn if issubclass(one.category, DoublereadWarning)]


def test_the_settings_that_the_mock_server_prints_seat_its_model(tmp_path):
    file = tmp_path / "mock.toml"
    file.write_text(settings_text("http://127.0.0.1:8099/v1"))
    found = load_settings(file)
    assert "mock" in found.panel.agents
    assert set(load_settings().panel.agents) < set(found.panel.agents)
    assert unseated(found) == []
