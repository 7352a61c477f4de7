"""The servers' packages: pinned, and where doubleread has them too, in its versions."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MALICIOUS = {"1.82.7", "1.82.8", "1.107.0"}


def pinned(file):
    """Versions by name; a line that pins none is an error."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([\w.-]+)(?:\[\w+\])?==([\w.]+)", line) for line in lines]
    assert all(found), lines
    return {one[1].lower(): one[2] for one in found}


def test_the_servers_packages_are_pinned_to_the_versions_that_doubleread_uses():
    servers, own = pinned(Path(__file__).with_name("requirements.txt")), pinned(ROOT / "constraints.txt")
    shared = servers.keys() & own.keys() - {"litellm"}
    assert {"torch", "torchvision"} <= shared
    assert {name: servers[name] for name in shared} == {name: own[name] for name in shared}
    assert servers["litellm"] not in MALICIOUS
