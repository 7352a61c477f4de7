"""Settings: defaults, layers, and every fault reported at once."""

import tomllib

import pytest

from doubleread.core.errors import SettingsError
from doubleread.settings import Settings, default_toml, load_settings


def test_the_printed_file_is_the_defaults(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(default_toml())
    assert load_settings(file) == load_settings() == Settings()
    commented = [line for line in default_toml().splitlines() if line.startswith("#")]
    assert len(commented) > sum(len(table) for table in tomllib.loads(default_toml()).values())


def test_flags_win_over_environment_and_environment_over_file(tmp_path, monkeypatch):
    file = tmp_path / "settings.toml"
    file.write_text("[trust]\nfolds = 3\nbins = 3\nseed = 3\n")
    monkeypatch.setenv("DOUBLEREAD_TRUST__BINS", "4")
    monkeypatch.setenv("DOUBLEREAD_TRUST__SEED", "4")
    trust = load_settings(file, {"trust": {"seed": 5}}).trust
    assert (trust.folds, trust.bins, trust.seed) == (3, 4, 5)


def test_all_faults_are_reported_together(tmp_path, monkeypatch):
    file = tmp_path / "settings.toml"
    file.write_text('[encoder]\nnme = "x"\ndevice = "abacus"\n[typo]\na = 1\n[trust]\nfolds = 1\n')
    monkeypatch.setenv("DOUBLEREAD_NOWHERE__KEY", "1")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert len(caught.value.problems) == 5
    text = str(caught.value)
    assert "encoder.nme: unknown key; known: name, checkpoint, device" in text
    assert "encoder.device: Input should be 'auto', 'cpu', 'cuda' or 'mps' (got 'abacus')" in text
    assert "typo: unknown key; known: panel, encoder" in text
    assert "trust.folds" in text
    assert "DOUBLEREAD_NOWHERE__KEY is no setting" in text


@pytest.mark.parametrize(("contents", "message"), [("[broken", "not TOML"), (None, "is missing")])
def test_an_unreadable_file_is_a_settings_error(tmp_path, contents, message):
    file = tmp_path / "settings.toml"
    if contents is not None:
        file.write_text(contents)
    with pytest.raises(SettingsError, match=message):
        load_settings(file)


def test_agents_that_ask_models_have_a_table_each(tmp_path, monkeypatch):
    file = tmp_path / "settings.toml"
    file.write_text('[vlm.gpt]\nmodel = "gpt-4o"\n[vlm.qwen]\nmodel = "q"\nbase_url = "http://localhost:8000/v1/"\n')
    monkeypatch.setenv("DOUBLEREAD_VLM__QWEN__IN_FLIGHT", "4")
    vlm = load_settings(file).vlm
    assert list(vlm) == ["gpt", "qwen"]
    assert (vlm["gpt"].key_name, vlm["qwen"].key_name) == ("OPENAI_API_KEY", "")
    assert (vlm["qwen"].base_url, vlm["qwen"].in_flight) == ("http://localhost:8000/v1", 4)


def test_faults_in_a_named_table_are_told_with_what_is_allowed(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(
        '[vlm.gpt]\nmodle = "gpt-4o"\nconfidence = "gut feeling"\n[recorded.old]\nfile = "a.csv"\nkey = "x"\n'
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    text = str(caught.value)
    assert "vlm.gpt.modle: unknown key; known: model, base_url" in text
    assert "vlm.gpt.model: Field required" in text
    assert "vlm.gpt.confidence: Input should be 'verbalized-distribution'" in text
    assert "recorded.old.key: unknown key; known: file, agent, columns" in text


def test_an_address_with_a_password_is_refused_and_not_repeated(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[vlm.gpt]\nmodel = "m"\nbase_url = "https://ann:hush@models.example.org/v1"\n')
    with pytest.raises(SettingsError, match="must hold no user, password or query") as caught:
        load_settings(file)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("table", ["vlm", "reasoner", "talk", "recorded", "prices"])
def test_the_printed_file_shows_named_tables_as_they_can_be_switched_on(table):
    lines = default_toml().splitlines()
    start = lines.index(f"# [{table}.NAME]")
    block = lines[start : lines.index("", start) if "" in lines[start:] else None]
    switched = [line.removeprefix("# ") for line in block if line.startswith(f"# [{table}.") or " = " in line]
    values = [line for line in switched[1:] if not line.endswith(" = ")]
    tomllib.loads("\n".join([switched[0], *values]))
