"""Real servers, each started once: transformers with two tiny models, and LiteLLM's proxy."""

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from kit import photo
from servers_kit import Door, door, free_port, offline, served, server_program

from doubleread.panel import Panel
from doubleread.settings import load_settings

LABELS = ("blue", "green", "red")
MAKER = Path(__file__).with_name("tiny_vlm.py")
LOCAL = ("discriminant", "neighbours")


class ServedModels(NamedTuple):
    """A server, and the names of its two models."""

    base_url: str
    trained: str
    random: str


class ServedPanel(NamedTuple):
    """A panel, its folder and settings, the door to its server, and the names of its models."""

    panel: Panel
    folder: Path
    file: Path
    passed: Door
    trained: str
    random: str


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with the models ``trained`` and ``random``."""
    python, folder = server_program("python"), tmp_path_factory.mktemp("models")
    for hue, label in enumerate(LABELS):
        for i in range(12):
            photo(folder / "photos" / label / f"{i}.png", hue, seed=50_000 + 1000 * hue + i)
    command = [python, str(MAKER), str(folder), str(folder / "photos")]
    done = subprocess.run(command, env=offline(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="session")
def transformers(models):
    """``with transformers(port, *arguments):`` runs ``transformers serve`` there."""

    @contextmanager
    def run(port, *arguments):
        where = ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
        command = [server_program("transformers"), "serve", *arguments, *where]
        hub = str(models / "hub")  # where the server looks for further models: nothing is there
        with served(command, f"http://127.0.0.1:{port}/health", models / f"{port}.log", HF_HOME=hub):
            yield

    return run


@pytest.fixture(scope="session")
def server(transformers, models):
    """A server with both models, which it loads when they are first asked."""
    port = free_port()
    with transformers(port):
        yield ServedModels(f"http://127.0.0.1:{port}/v1", str(models / "trained"), str(models / "random"))


@pytest.fixture(scope="session")
def settings_file(tmp_path_factory, plain):
    """``settings_file({"gpt": {"model": …, "base_url": …}})``: a file as users write it, with a cache of its own."""

    def write(vlm, **sections):
        folder = tmp_path_factory.mktemp("settings")
        tables = {
            "encoder": {**plain.encoder.model_dump(exclude_none=True), "cache_dir": str(folder)},
            "panel": {"agents": [*LOCAL, *vlm]},
            "trust": {"folds": 2, "consistency_cases": 4, "calibrator": "temperature"},
            "fusion": {"rule": "log-pool"},
            **sections,
            **{f"vlm.{name}": {"attempts": 2, **table} for name, table in vlm.items()},
        }
        lines = [line for name, table in tables.items() for line in (f"[{name}]", *_lines(table))]
        (folder / "settings.toml").write_text("\n".join(lines) + "\n")
        return folder / "settings.toml"

    return write


@pytest.fixture(scope="session")
def settings_for(settings_file):
    """The same, read."""
    return lambda vlm, **sections: load_settings(settings_file(vlm, **sections))


@pytest.fixture(scope="session")
def served_panel(server, settings_file, dataset):
    """A panel with both models, fitted through a door."""
    with door(server.base_url) as (passed, url):
        tiny, noise = ({"model": model, "base_url": url} for model in (server.trained, server.random))
        file = settings_file({"tiny": tiny, "noise": noise})
        with Panel.fit(dataset.cases, dataset.task, settings=load_settings(file)) as panel:
            yield ServedPanel(panel, panel.save(file.with_name("panel")), file, passed, server.trained, server.random)


def _lines(table):
    """``name = value`` in TOML, which writes what these tests need like JSON."""
    return [f"{name} = {json.dumps(value)}" for name, value in table.items()]
