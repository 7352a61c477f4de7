"""The server over HTTP: what it shows, whom it lets in, and what it refuses."""

import re

import pytest
from kit import photo
from starlette.testclient import TestClient
from web_kit import ABOUT, ScriptedSessions

from doubleread.web.app import make_app
from doubleread.web.door import Rules
from doubleread.web.owners import Owners

TOKEN = "a token of more than sixteen"
HERE = {"Origin": "http://localhost:8000"}
EVIL = """<script>alert(1)</script>"><img src=x onerror=alert(2)> ' {{ 7*7 }}"""


@pytest.fixture
def leaf(tmp_path):
    return photo(tmp_path / "leaf.png", 0, 1)


@pytest.fixture
def made(tmp_path, leaf):
    """Makes a client of a server of its own."""

    def make(token=None, words="round spots", origin=HERE):
        sessions = ScriptedSessions(tmp_path, words, neighbours=(leaf, tmp_path / "gone.png"))
        app = make_app(sessions, ABOUT, Owners(tmp_path / "owners.json"), Rules(token=token))
        return TestClient(app, base_url="http://localhost:8000", headers=origin, follow_redirects=False)

    return make


@pytest.fixture
def client(made):
    return made()


def begin(client, leaf, name="leaf.png"):
    """The address of a new session with one image."""
    answer = client.post("/new", files=[("files", (name, leaf.read_bytes(), "image/png"))])
    assert answer.status_code == 303
    return answer.headers["location"]


def messages(client, address, seen=0, n=1):
    """The next ``n`` server-sent messages after the one numbered ``seen``: their numbers and what they hold."""
    with client.stream("GET", f"{address}/events", headers={"Last-Event-ID": str(seen)}) as stream:
        text = ""
        for piece in stream.iter_text():
            text += piece
            if text.count("\nid:") + text.startswith("id:") > n:
                break
    found = re.findall(r"^id: (\d+)\n((?:data: .*\n)+)\n", text, flags=re.MULTILINE)
    return [(int(number), data) for number, data in found][:n]
