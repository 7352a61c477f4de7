"""A panel from somebody else reaches nothing that this machine has not allowed.

A stranger is somebody with another configuration: the same folder, opened by a user who has allowed nothing.
"""

import base64
import io
import shutil
import stat

import numpy as np
import platformdirs
import pytest
from consent_kit import counting, with_settings
from kit import photo, photo_folder
from models_kit import KEY, images
from PIL import Image

from doubleread.core.errors import NotAllowed, PanelError, SettingsError
from doubleread.core.evidence import Evidence
from doubleread.evals.datasets import read_dataset
from doubleread.evals.runs.ray_worker import Reader
from doubleread.mock_server import running
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.panel import Panel
from doubleread.panel.consent import allowed, asks_of, refused, remember
from doubleread.panel.panel_folder import read_panel
from doubleread.rag.safe_images import Images
from doubleread.settings import load_settings

PROMPT = """+++
id = "mine"
version = 1
purpose = "x"
variables = ["labels", "about"]
+++
[system]
Look.
[user]
{{ about }} {% for l in labels %}{{ l.name }} {% endfor %}
"""


@pytest.fixture(scope="module")
def asking(settings, configuration, tmp_path_factory):
    """A panel of somebody else with a model, a secret for its key, prompts of their own; and the model's server.

    The files of its cases were replaced by a private picture since.
    """
    home = tmp_path_factory.mktemp("author")
    data = read_dataset(photo_folder(home / "photos", 6))
    opened = Images()
    says = DryRun(data.cases, [thumbnail(opened.open(case)) for case in data.cases], accuracy=0.97)
    (home / "prompts").mkdir()
    (home / "prompts" / "mine.md").write_text(PROMPT)
    with running(otherwise=says) as mock, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", KEY)
        patch.setenv("XDG_CONFIG_HOME", str(home / "configuration"))
        gpt = {"model": "m\x1b[2J", "base_url": mock.base_url, "key_variable": "SECRET_KEY", "prompt": "mine"}
        flags = {
            "encoder": settings.encoder.model_dump(),
            "trust": {"folds": 2, "consistency_cases": 0, "calibrator": "temperature"},
            "fusion": {"rule": "log-pool"},
            "second_look": {"max_rounds": 1},
            "panel": {"agents": ("discriminant", "neighbours", "gpt")},
            "vlm": {"gpt": {**gpt, "attempts": 1, "extra": {"top_p": 0.5}, "price": {"input": 1, "output": 1}}},
            "prompts": {"folder": str(home / "prompts")},
        }
        with Panel.fit(data.cases, data.task, settings=load_settings(None, flags)) as panel:
            panel.save(home / "panel")
        for case in data.cases:
            Image.new("RGB", (64, 64), "magenta").save(case.path)
        assert allowed(read_panel(home / "panel", None).head.id).how == "made here"
        patch.setenv("XDG_CONFIG_HOME", str(configuration))
        yield home / "panel", mock


@pytest.fixture
def stranger(tmp_path, settings, monkeypatch):
    """A user who has allowed nothing, with a key of their own under the name that the panel asks for."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SECRET_KEY", KEY)
    return load_settings(None, {"encoder": settings.encoder.model_dump()})


def private(url):
    """Whether a data URL shows the private picture."""
    data = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    return np.abs(np.asarray(Image.open(io.BytesIO(data))).mean((0, 1)) - (255, 0, 255)).max() < 20


def test_nothing_is_sent_before_it_is_allowed_and_no_private_picture_after(asking, stranger, tmp_path):
    folder, mock = asking
    new, before = photo(tmp_path / "new.png", 2, seed=9000), len(mock.server.requests)
    with pytest.raises(NotAllowed) as caught:
        Panel.load(folder, settings=stranger)
    said = str(caught.value)
    assert len(mock.server.requests) == before
    for line in (
        f'vlm.gpt.base_url = "{mock.base_url}": questions and pictures are sent to this address',
        'vlm.gpt.key_variable = "SECRET_KEY": what this environment variable holds is sent there as the key',
        'vlm.gpt.extra = {"top_p": 0.5}',
        "vlm.gpt.price = ",
        "prompts.folder = ",
        "--allow-from-panel",
        "Nothing was sent",
    ):
        assert line in said
    assert KEY not in said
    assert "\x1b" not in said
    with Panel.load(folder, settings=stranger, allow_from_panel=True) as panel:
        verdict = panel.diagnose(new)
        agent, evidence = panel._seated.agents["gpt"], verdict.evidence
        looked = panel._background.call(agent.reconsider, verdict.case, Evidence(neighbours=evidence.neighbours))
    asked = mock.server.requests[before:]
    assert asked
    assert looked.cause == "no-evidence"
    assert not any(private(url) for one in asked for url in images(one.body))
    with Panel.load(folder, settings=stranger) as panel:
        assert panel.diagnose(new).label == verdict.label


def test_the_private_picture_would_be_recognised(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "magenta").save(buffer, "JPEG")
    assert private("data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode())


def test_consent_is_remembered_for_these_values_and_no_others(asking, stranger):
    folder, _ = asking
    saved = read_panel(folder, stranger)
    assert {ask.table for ask in refused(saved.head.id, saved.asks)} == {"prompts", "vlm.gpt"}
    remember(folder, saved.head.id, saved.asks, "allowed")
    assert refused(saved.head.id, saved.asks) == []
    file = allowed_file(saved.head.id)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY not in file.read_text()
    for change in (
        {"base_url": "http://elsewhere.example/v1"},
        {"key_variable": "AWS_SECRET_ACCESS_KEY"},
        {"model": "other"},
        {"extra": {"api_base": "http://elsewhere.example"}},
        {"price": None, "key_variable": "HOME"},
    ):
        other = saved.settings.vlm["gpt"].model_copy(update=change)
        asks = asks_of(saved.settings.model_copy(update={"vlm": {"gpt": other}}), stranger)
        assert [ask.table for ask in refused(saved.head.id, asks)] == ["vlm.gpt"], change
    assert refused("0" * 32, saved.asks) == list(saved.asks)


def allowed_file(panel):
    return platformdirs.user_config_path("doubleread") / "allowed" / f"{panel}.json"


def test_what_this_machine_s_settings_say_is_no_question(asking, stranger):
    folder, _ = asking
    own = stranger.model_dump(mode="json")
    gpt = read_panel(folder, stranger).settings.vlm["gpt"].model_dump(mode="json")
    here = load_settings(None, {**own, "vlm": {"gpt": {**gpt, "base_url": "http://127.0.0.1:9/v1"}}})
    assert [ask.table for ask in read_panel(folder, here).asks] == ["prompts"]
    assert read_panel(folder, here).settings.vlm["gpt"].base_url == "http://127.0.0.1:9/v1"
    other = load_settings(None, {**own, "vlm": {"gpt": {**gpt, "model": "cheap"}}})
    assert [dict(ask.values) for ask in read_panel(folder, other).asks][1] == {"model": gpt["model"]}


def test_a_run_on_several_machines_takes_the_consent_along(asking, stranger):
    """A worker is told the settings of the panel as it was loaded: they name what was allowed, and nothing else is."""
    folder, _ = asking
    remember(folder, read_panel(folder, stranger).head.id, read_panel(folder, stranger).asks, "allowed")
    with Panel.load(folder, settings=stranger) as panel:
        told = panel.settings.model_dump(mode="json")
    shutil.rmtree(allowed_file(read_panel(folder, stranger).head.id).parent)

    async def opened(settings):
        reader = Reader()
        try:
            return await reader.open(str(folder), settings, {})
        finally:
            await reader.close()

    with Panel.load(folder, settings=load_settings(None, told)) as panel:
        assert panel._background.call(opened, told) == ""
        assert "has not allowed" in panel._background.call(opened, stranger.model_dump(mode="json"))


def test_a_server_of_cases_is_not_contacted(saved, stranger, tmp_path):
    with counting() as (url, got):
        folder = with_settings(saved, tmp_path / "panel", retrieval={"url": url, "collection": "notes"})
        with pytest.raises(NotAllowed, match=r"(?s)retrieval\.url = .*retrieval\.collection = ") as caught:
            Panel.load(folder, settings=stranger)
        assert url in str(caught.value)
    assert got == []


@pytest.mark.parametrize(
    ("sections", "setting"),
    [
        ({"prompts": {"folder": "/etc"}}, "prompts.folder"),
        ({"encoder": {"checkpoint": "/tmp/weights.pt"}}, "encoder.checkpoint"),
        (
            {"recorded": {"book": {"file": "/etc/passwd"}}, "panel": {"agents": ["logistic", "book"]}},
            "recorded.book.file",
        ),
    ],
)
def test_files_elsewhere_are_not_read(saved, stranger, tmp_path, sections, setting):
    folder = with_settings(saved, tmp_path / "panel", **sections)
    with pytest.raises(NotAllowed) as caught:
        Panel.load(folder, settings=stranger)
    assert setting in str(caught.value)


def test_an_encoder_is_a_question_where_it_would_be_downloaded_or_is_another_package_s(stranger):
    def asked(name, *, download):
        encoder = stranger.encoder.model_copy(update={"name": name, "download": download})
        here = stranger.model_copy(update={"encoder": stranger.encoder.model_copy(update={"download": download})})
        return [ask.table for ask in asks_of(stranger.model_copy(update={"encoder": encoder}), here)]

    for name in ("efficientnet-lite0", "open-clip:ViT-B-32/datacomp_xl_s13b_b90k"):
        assert asked(name, download=True) == asked(name, download=False) == []
    assert asked("open-clip:hf-hub:evil/model", download=False) == []
    assert asked("open-clip:hf-hub:evil/model", download=True) == ["encoder"]
    assert asked("theirs:anything", download=False) == ["encoder"]


def test_a_panel_of_local_agents_asks_for_nothing(saved, stranger, tmp_path):
    assert read_panel(saved, stranger).asks == ()
    Panel.load(saved, settings=stranger).close()
    assert not (tmp_path / "configuration").exists()


def test_where_to_run_is_always_this_machine_s(saved, stranger, tmp_path):
    """What a folder says of records, sessions, caches, clusters and budgets is not even read."""
    folder = with_settings(
        saved,
        tmp_path / "panel",
        run={"record": "/tmp/evil.jsonl"},
        sessions={"folder": "/etc", "database": "postgresql://evil.example/x"},
        ray={"address": "ray://evil.example:1"},
        budget={"max_cost_usd": 1e9},
        encoder={"cache_dir": "/etc", "download": True},
    )
    found = read_panel(folder, stranger)
    assert found.asks == ()
    for name in ("run", "sessions", "ray", "budget", "talk", "prices"):
        assert getattr(found.settings, name) == getattr(stranger, name)
    assert (found.settings.encoder.cache_dir, found.settings.encoder.download) == (stranger.encoder.cache_dir, False)


def test_a_configuration_that_cannot_be_written_costs_only_the_memory(asking, stranger, tmp_path, caplog):
    (tmp_path / "configuration").write_text("a file, not a folder")
    folder, _ = asking
    saved = read_panel(folder, stranger)
    remember(folder, saved.head.id, saved.asks, "made here")
    assert "not remembered" in caplog.text
    assert refused(saved.head.id, saved.asks) == list(saved.asks)


def test_a_damaged_record_is_named(asking, stranger):
    saved = read_panel(asking[0], stranger)
    file = allowed_file(saved.head.id)
    file.parent.mkdir(parents=True)
    for contents in ("", "[]", '{"how": "allowed"}', "[" * 100_000):
        file.write_text(contents)
        with pytest.raises(PanelError, match=f"{saved.head.id}.json cannot be read.*delete it"):
            refused(saved.head.id, saved.asks)
    remember(asking[0], saved.head.id, saved.asks, "allowed")
    assert refused(saved.head.id, saved.asks) == []


@pytest.mark.parametrize("panel", ["", "../../x", "0" * 31, "0" * 32 + "\n"])
def test_a_panel_without_an_id_is_never_remembered(asking, stranger, panel, tmp_path):
    asks = read_panel(asking[0], stranger).asks
    remember(asking[0], panel, asks, "allowed")
    assert refused(panel, asks) == list(asks)
    assert not (tmp_path / "configuration").exists()


def test_a_store_s_address_holds_no_password():
    with pytest.raises(SettingsError, match="must hold no user or password") as caught:
        load_settings(None, {"retrieval": {"url": "http://ann:secret@127.0.0.1:8000"}})
    assert "ann:secret" not in str(caught.value)
