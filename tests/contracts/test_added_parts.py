"""One more part of each kind, from another package: it passes the contract tests, and a panel works with it.

The package is a file and a list of entry points. Nothing in doubleread knows of it.
"""

import importlib.metadata
import os
import subprocess
import sys

import pytest
from kit import photo_folder

from doubleread.evals.datasets import read_dataset
from doubleread.panel import Panel
from doubleread.settings import load_settings

CODE = '''
import numpy as np

from doubleread.core.errors import ImageError, NotFitted
from doubleread.core.opinion import Abstention, Opinion
from doubleread.orchestrator.calibration.temperature import Temperature
from doubleread.orchestrator.fusion.log_pool import LogPool
from doubleread.rag.stores.exact import ExactStore

OPENED = []


class Encoder:
    fingerprint, dim = "mine-encoder-1", 12

    def encode(self, images):
        rows = [np.asarray(one.resize((2, 2)), np.float32).ravel() - 119.5 for one in images]
        rows = np.stack(rows) if rows else np.zeros((0, 12), np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def build(argument, *, device, checkpoint, download):
    return Encoder()


class Centroids:
    """Learns, and does not reconsider."""

    name = "mine-agent"

    def __init__(self, context):
        self.context, self.means = context, None

    def fit(self, embeddings, labels, groups=None):
        self.means = np.stack([embeddings[labels == k].mean(axis=0) for k in range(len(self.context.task.names))])
        return self

    def state(self):
        if self.means is None:
            raise NotFitted("fit the agent mine-agent first")
        return {}, {"means": self.means}

    def restore(self, settings, arrays):
        self.means = arrays["means"]
        return self

    async def read(self, case):
        if self.means is None:
            return Abstention(agent=self.name, cause="not-fitted", detail="it was not fitted")
        try:
            row = await self.context.embedder.embed(case)
        except ImageError as error:
            return Abstention(agent=self.name, cause="image", detail=str(error))
        odds = np.exp(10 * (row @ self.means.T)[0])
        return Opinion.from_vector(self.name, self.context.task, odds / odds.sum(), "softmax", prior="balanced")


class Store(ExactStore):
    pass


def open_store(place):
    OPENED.append(Store(place.own.fingerprint, dim=place.own.dim))
    return OPENED[-1]


class Cooler(Temperature):
    kind = "mine-calibrator"


class Pool(LogPool):
    kind = "mine-rule"


def score(P, u):
    return 1 - P
'''
ENTRY_POINTS = """
[doubleread.encoders]
mine-encoder = doubleread_mine:build
[doubleread.agents]
mine-agent = doubleread_mine:Centroids
[doubleread.stores]
mine-store = doubleread_mine:open_store
[doubleread.calibrators]
mine-calibrator = doubleread_mine:Cooler
[doubleread.fusion_rules]
mine-rule = doubleread_mine:Pool
[doubleread.conformal_scores]
mine-score = doubleread_mine:score
"""
CHOSEN = {
    "panel": {"agents": ["mine-agent", "neighbours"]},
    "encoder": {"name": "mine-encoder"},
    "retrieval": {"store": "mine-store"},
    "trust": {"calibrator": "mine-calibrator", "sets": "mine-score", "folds": 2},
    "fusion": {"rule": "mine-rule"},
}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder in which the package is installed."""
    home = tmp_path_factory.mktemp("installed")
    (home / "doubleread_mine.py").write_text(CODE)
    info = home / "doubleread_mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: doubleread-mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return home


def test_a_panel_is_fitted_saved_loaded_and_used_with_them(package, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(package)
    assert importlib.metadata.version("doubleread-mine") == "1.0"
    dataset = read_dataset(photo_folder(tmp_path / "photos", 8))
    settings = load_settings(None, {**CHOSEN, "encoder": {"name": "mine-encoder", "cache_dir": str(tmp_path / "seen")}})
    with Panel.fit(dataset.cases, dataset.task, settings=settings) as panel:
        folder = panel.save(tmp_path / "panel")
        said = panel.diagnose(dataset.cases[0])
    with Panel.load(folder, settings=settings) as panel:
        again = panel.diagnose(dataset.cases[0])
        assert panel.agents == ("mine-agent", "neighbours")
        assert {p.calibrator["kind"] for p in panel.profiles if p.agent != "panel"} == {"mine-calibrator"}
    assert again.posterior == pytest.approx(said.posterior)
    assert again.evidence.neighbours
    import doubleread_mine

    assert [store.count() for store in doubleread_mine.OPENED] == [len(dataset.cases)]


KINDS = ("mine-encoder", "mine-agent", "mine-store", "mine-calibrator", "mine-rule", "mine-score")
CONTRACTS = ("tests/contracts", "tests/orchestrator/test_conformal_scores.py")


def test_the_contract_tests_find_and_pass_them(package, pytestconfig):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])}
    given = ["-p", "no:cacheprovider", "-o", "pythonpath=tests", "-rA", "-k", "mine", *CONTRACTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *given, f"--ignore={__file__}"],
        check=False,
        cwd=pytestconfig.rootpath,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = [line for line in done.stdout.splitlines() if line.startswith("PASSED")]
    assert {kind: sum(kind in line for line in passed) >= 2 for kind in KINDS} == dict.fromkeys(KINDS, True)
