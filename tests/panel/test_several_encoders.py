"""Several encoders on one panel: agents that are bound to one, from settings to a loaded panel."""

import tomllib

import pytest

from doubleread.core.errors import PanelError, SettingsError, UnknownPart
from doubleread.panel import Panel
from doubleread.panel._run_settings import run_settings
from doubleread.panel.composition import check_names
from doubleread.panel.consent import asks_of
from doubleread.settings import default_toml, load_settings

TABLE = '[encoder]\nname = "efficientnet-lite0"\ndevice = "cpu"\n\n[encoder.colour]\nname = "colour-texture"\n'
AGENTS = ["discriminant", "logistic", "discriminant@colour", "logistic@colour", "texture"]


@pytest.fixture(scope="module")
def two(settings):
    """The settings of a panel with two encoders."""
    data = settings.model_dump(mode="json")
    data["panel"]["agents"] = AGENTS
    data["encoders"] = {"colour": {"name": "colour-texture"}}
    return load_settings(None, data)


@pytest.fixture(scope="module")
def kept(two, dataset, once):
    def make(folder):
        with Panel.fit(dataset.cases, dataset.task, settings=two) as panel:
            panel.save(folder / "panel")

    return once("two-encoders", make) / "panel"


def naming(*agents, **encoders):
    data = {"panel": {"agents": agents}, "encoders": {name: {"name": spec} for name, spec in encoders.items()}}
    return load_settings(None, data)


def test_a_table_below_encoder_is_a_further_encoder(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(TABLE)
    settings = load_settings(file)
    assert settings.encoder.name == "efficientnet-lite0"
    assert {name: one.name for name, one in settings.encoders.items()} == {"colour": "colour-texture"}
    file.write_text(TABLE.replace('name = "colour-texture"', 'nmae = "x"'))
    with pytest.raises(SettingsError, match=r"encoders\.colour\.nmae: unknown key; known: name, checkpoint"):
        load_settings(file)


def test_an_environment_variable_names_one_too(monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_ENCODER__DINO__NAME", "colour-texture")
    assert load_settings().encoders["dino"].name == "colour-texture"


def test_the_printed_file_shows_how_to_name_one():
    lines = default_toml().splitlines()
    start = lines.index("# [encoder.NAME]")
    block = [line.removeprefix("# ") for line in lines[start : lines.index("", start)] if " = " in line]
    assert tomllib.loads("\n".join(block))["name"] == "auto"


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        (naming("discriminant@dino"), UnknownPart, r"add a table \[encoder\.NAME\]"),
        (naming("discriminant@dino", colour="colour-texture"), UnknownPart, "unknown encoder 'dino'; known: colour"),
        (naming("disc@colour", colour="colour-texture"), UnknownPart, "unknown agent 'disc@colour'"),
        (naming("neighbours@colour", colour="colour-texture"), PanelError, "possible: discriminant@colour"),
        (naming("texture@colour", colour="colour-texture"), PanelError, "cannot use another encoder"),
        (naming("discriminant", texture="colour-texture"), PanelError, "this name is taken"),
        (naming("discriminant", **{"a b": "colour-texture"}), PanelError, "letters, digits, dashes"),
    ],
)
def test_a_wrong_name_is_an_error_that_says_what_is_possible(settings, kind, words):
    with pytest.raises(kind, match=words):
        check_names(settings)


def test_an_encoder_that_no_agent_uses_is_not_asked_for():
    loaded = {"name": "open-clip:ViT-B-32", "checkpoint": "/elsewhere/weights.pt"}
    used = load_settings(None, {"panel": {"agents": ["logistic@clip"]}, "encoders": {"clip": loaded}})
    unused = load_settings(None, {"panel": {"agents": ["logistic"]}, "encoders": {"clip": loaded}})
    assert [ask.table for ask in asks_of(used, None) if ask.table.startswith("encoder")] == ["encoders.clip"]
    assert [ask.table for ask in asks_of(unused, None) if ask.table.startswith("encoder")] == []


def test_each_agent_reads_with_its_own_encoder(kept, two, dataset):
    with Panel.load(kept, settings=two) as panel:
        verdict = panel.diagnose(dataset.cases[0].path)
        said = {one.agent: one for one in verdict.opinions if one.round == 1}
        assert set(said) <= set(AGENTS)
        assert set(said) | set(panel.left_out) == set(AGENTS)
        same = {name for name in ("texture", "discriminant@colour") if name in said}
        assert len({tuple(said[name].probabilities.items()) for name in same}) <= 1


def test_a_panel_keeps_to_the_encoders_that_it_was_fitted_with(kept, two):
    data = two.model_dump(mode="json")
    data["encoders"]["colour"]["name"] = "efficientnet-lite0"
    with Panel.load(kept, settings=load_settings(None, data)) as panel:
        assert panel.settings.encoders["colour"].name == "colour-texture"


def test_device_and_downloads_always_come_from_this_machine():
    table = {"name": "timm:convnext_tiny.fb_in1k", "device": "cuda", "download": True}
    fitted = load_settings(None, {"panel": {"agents": ["logistic@eye"]}, "encoders": {"eye": table}})
    running = run_settings(fitted, load_settings()).encoders["eye"]
    assert (running.name, running.device, running.download) == ("timm:convnext_tiny.fb_in1k", "auto", False)
    named = load_settings(None, {"encoders": {"eye": {**table, "device": "cpu"}}})
    assert run_settings(fitted, named).encoders["eye"].device == "cpu"
