"""The clients of others, each in a process of its own: OpenAI's for Node, and LiteLLM's."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from mock_kit import data_url, dry_run, photos_in

from doubleread.mock_server import running

pytestmark = pytest.mark.integration
CLIENTS = Path(__file__).with_name("clients")
NODE_CLIENT = "openai@6.49.0"
"""The last one for Node 20."""
INSTALL_S, RUN_S = 120, 120


@pytest.fixture
def arguments(tmp_path):
    """Address, key, photo and label of a server that is running."""
    photos = photos_in(tmp_path / "photos")
    case = photos.cases[-1]
    with running(otherwise=dry_run(photos), models=["mock-1"], key="mock-key") as mock:
        yield [mock.base_url, "mock-key", data_url(case.path.read_bytes()), case.label]


@pytest.fixture
def node(tmp_path):
    """The path of node, next to an installed client."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("node and npm are not installed")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True, timeout=RUN_S).stdout
    if int(version.removeprefix("v").partition(".")[0]) < 20:
        pytest.skip(f"needs node 20 or later, here is {version.strip()}")
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(tmp_path), NODE_CLIENT]
    try:
        subprocess.run(install, capture_output=True, check=True, timeout=INSTALL_S, cwd=tmp_path)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip(f"npm cannot install {NODE_CLIENT} here: is a registry within reach?")
    return found


def local(**more):
    """The environment without proxies, which would be asked for this machine's addresses."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | more


def test_openais_client_for_node(node, arguments, tmp_path):
    script = shutil.copy(CLIENTS / "openai_node.mjs", tmp_path)
    done = subprocess.run(
        [node, script, *arguments], capture_output=True, text=True, timeout=RUN_S, env=local(), check=False
    )
    assert done.stdout.strip() == "all held", done.stderr[-2000:]


@pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")
def test_litellm(arguments):
    command = [sys.executable, str(CLIENTS / "litellm_python.py"), *arguments]
    environment = local(LITELLM_LOCAL_MODEL_COST_MAP="True")
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
