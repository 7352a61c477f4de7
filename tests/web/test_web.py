"""The server over HTTP: what it shows, whom it lets in, and what it refuses."""

import hashlib
import io
import re
import socket
import zipfile
from importlib.resources import files

import httpx2
import pytest
from kit import photo
from starlette.testclient import TestClient
from web_kit import ABOUT, ScriptedSessions

from doubleread.core.errors import DataError
from doubleread.web import limits
from doubleread.web.app import make_app
from doubleread.web.rules import Rules, chosen_token, is_loopback
from doubleread.web.serving import bound, running

TOKEN = "a token of more than sixteen"
HERE = "http://localhost:8000"
EVIL = """<script>alert(1)</script>"><img src=x onerror=alert(2)> ' {{ 7*7 }}"""
GONE = f"{1:064x}"
"""The case of the scripted evidence whose file is not there."""


@pytest.fixture
def leaf(tmp_path):
    return photo(tmp_path / "leaf.png", 0, 1)


@pytest.fixture
def made(tmp_path, leaf):
    """Makes an app with sessions of its own; they are the same for all clients of it."""

    def make(token=None, words="round spots", limits=limits.WebLimits(), **more):  # noqa: B008 - frozen
        sessions = ScriptedSessions(tmp_path, words, neighbours=(leaf, tmp_path / "gone.png"), **more)
        app = make_app(sessions, ABOUT, Rules(token=token), limits)
        app.state.sessions = sessions
        return app

    return make


def client_of(app, **headers):
    return TestClient(app, base_url=HERE, headers={"Origin": HERE, **headers}, follow_redirects=False)


@pytest.fixture
def client(made):
    return client_of(made())


def id_of(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def begin(client, leaf, name="leaf.png", **more):
    """The address of a new session with one image."""
    answer = client.post("/new", files=[("files", (name, leaf.read_bytes(), "image/png"))], **more)
    assert answer.status_code == 303
    return answer.headers["location"]


# -- what it shows ------------------------------------------------------------------------------------------------


def test_an_upload_becomes_a_session_with_a_card(client, leaf):
    page = client.get(begin(client, leaf)).text
    for shown in (
        "leaf.png",
        "rust",
        "80.0",
        "round spots",
        "no answer",
        "✓ rust, 80.0%",
        "Most similar labelled images",
    ):
        assert shown in page
    assert 'data-after="7"' in page
    assert client.get("/").text.count('href="/s/session1"') == 1


def test_several_images_join_one_session(client, leaf, tmp_path):
    address = begin(client, leaf)
    other = photo(tmp_path / "other.png", 1, 2)
    sent = [("files", (f.name, f.read_bytes(), "image/png")) for f in (leaf, other)]
    assert client.post(f"{address}/images", files=sent).status_code == 303
    page = client.get(address).text
    assert page.count('role="tab"') == 2
    assert "2 images" in page


def test_what_is_said_is_answered_in_blocks(client, leaf):
    address = begin(client, leaf)
    assert client.post(f"{address}/say", data={"text": "why"}, headers={"HX-Request": "true"}).status_code == 204
    page = client.get(address).text
    assert "because it is so" in page
    assert '<th scope="col">agent</th>' in page
    assert page.count(f"/near/{id_of(leaf)}?side=192") >= 1
    assert "no picture" in page
    assert 'title="before: 80.0' in page
    assert '<button name="text" value="why not scab">' in page


def test_how_a_line_goes_on_is_served_as_text(made, leaf):
    client = client_of(made(words=EVIL))
    address = begin(client, leaf)
    answer = client.get(f"{address}/complete", params={"text": "/why-not r"})
    assert 'data-completion="/why-not rust"' in answer.text
    assert answer.text.count('role="option"') == 1
    assert "<script" not in answer.text
    assert client.get(f"{address}/complete", params={"text": "why?"}).text.strip() == ""
    assert client.get("/s/none/complete", params={"text": "/"}).status_code == 404


def test_a_referred_case_waits_until_a_person_decides_and_takes_it_back(client, leaf):
    address = begin(client, leaf, "doubtful.png")
    work = client.get("/waiting").text
    assert "doubtful.png" in work
    assert work.count('type="radio"') == 3
    decision = {"reading": "reading1", "label": "scab", "reviewer": "Ada", "note": "velvet"}
    assert client.post(f"{address}/decide", data=decision).status_code == 303
    assert "No image is waiting" in client.get("/waiting").text
    assert "decided by Ada: velvet" in client.get(address).text
    client.post(f"{address}/say", data={"text": "/undo"})
    page = client.get(address).text
    assert "decided by Ada" not in page
    assert "Taken back" in page
    assert 'class="entry decided undone"' in page


def test_a_session_is_renamed_exported_and_deleted(client, leaf):
    address = begin(client, leaf)
    client.post(f"{address}/rename", data={"title": "Orchard 3"})
    assert "Orchard 3" in client.get("/").text
    page = client.get(f"{address}/export/html")
    assert page.text == "# Orchard 3"
    assert page.headers["content-disposition"] == 'attachment; filename="doubleread-session1.html"'
    assert 'name="metadata" value="keep"' in client.get(address).text
    client.get(f"{address}/export/html", params={"metadata": "keep"})
    assert client.app.state.sessions.exported == [False, True]
    packed = zipfile.ZipFile(io.BytesIO(client.get(f"{address}/export/markdown").content))
    assert sorted(packed.namelist()) == ["pictures/one.png", "session1.md"]
    assert client.post(f"{address}/delete").headers["location"] == "/"
    assert client.get(address).status_code == 404


def test_pictures_are_small_and_only_those_that_the_evidence_named(client, leaf):
    address = begin(client, leaf)
    case = re.search(r"/picture/([0-9a-f]{64})", client.get(address).text)[1]
    own = client.get(f"{address}/picture/{case}?side=96")
    assert own.headers["content-type"] == "image/webp"
    assert own.content[8:12] == b"WEBP"
    assert client.get(f"{address}/near/{id_of(leaf)}?side=96").content[8:12] == b"WEBP"
    assert client.get(f"{address}/near/{GONE}?side=96").status_code == 404  # named, but its file is gone
    assert client.get(f"{address}/near/..%2f..%2fetc%2fpasswd").status_code == 404
    assert client.get(f"{address}/picture/{case}?side=97").status_code == 404


def test_where_the_agents_looked_is_shown_over_the_image(client, leaf):
    page = client.get(begin(client, leaf)).text
    address = re.search(r'hx-get="(/s/[^"]*/where/[^"]*)"', page)[1]
    part = client.get(address).text
    assert "one gives rust 80.0%: covering the part at the upper left lowers it to 30.0%" in part
    assert "the label does not rest on one place" in part
    assert "three: round spots" in part
    assert part.count('type="radio"') == 3
    assert 'src="data:image/png;base64,' in part
    assert re.search(r'<img src="/s/[^"]*/picture/[^"]*" alt="The image that was read">', part)
    assert "healthy 80.0%" in client.get(address, params={"label": "healthy"}).text
    refused = client.get(address, params={"label": "scab"})
    assert refused.status_code == 200
    assert "! round spots" in refused.text


def test_hostile_text_is_only_text(made, leaf):
    app = made(words=EVIL)
    client = client_of(app)
    address = begin(client, leaf, f"doubtful {EVIL.replace('/', '∕')}")
    client.post(f"{address}/say", data={"text": EVIL})
    client.post(f"{address}/rename", data={"title": EVIL[:100]})
    for page in (client.get(address).text, client.get("/waiting").text, client.get("/").text):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;" in page
        assert "49" not in re.sub(r"[0-9a-f]{12,}", "", page)


def test_pages_ask_for_nothing_of_other_hosts_and_hold_no_inline_script(client, leaf):
    address = begin(client, leaf, "doubtful.png")
    for path in ("/", address, "/waiting", "/s/none"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert not re.search(r"\son[a-z]+\s*=|<script>|<style>|javascript:", answer.text)
        assert all(a.startswith(("/", "#")) for a in re.findall(r'(?:src|href|action)="([^"]*)"', answer.text))


def test_static_files_are_those_of_the_package(client):
    for name in ("htmx.min.js", "htmx-ext-sse.js", "app.js", "app.css", "card.css", "theme.js", "icon.svg"):
        assert client.get(f"/static/{name}").status_code == 200
    assert client.get("/static/..%2fapp.py").status_code == 404
    assert "Zero-Clause BSD" in files("doubleread.web").joinpath("static/LICENSE.htmx.txt").read_text()


# -- what it refuses ----------------------------------------------------------------------------------------------


def test_what_is_no_image_is_told_and_leaves_no_session(client):
    answer = client.post("/new", files=[("files", ("a.txt", b"hello", "image/png"))], headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == "#notices"
    assert "a.txt: the file begins with" in answer.text
    assert "No session yet" in client.get("/").text
    assert "no image came" in client.post("/new", data={"x": "y"}).text


def test_one_bad_image_does_not_keep_the_others_out(client, leaf):
    sent = [("files", ("a.txt", b"hello", "image/png")), ("files", ("leaf.png", leaf.read_bytes(), "image/png"))]
    address = begin(client, leaf)
    answer = client.post(f"{address}/images", files=sent)
    assert answer.status_code == 422
    assert client.get(address).text.count('class="dot commit"') == 2


def test_limits(made, leaf):
    client = client_of(made(limits=limits.WebLimits(session_images=1)))
    address = begin(client, leaf)
    many = [("files", (f"{i}.png", b"x", "image/png")) for i in range(limits.MAX_FILES + 1)]
    assert client.post(f"{address}/images", files=many).status_code == 400
    more = client.post(f"{address}/images", files=[("files", ("b.png", leaf.read_bytes(), "image/png"))])
    assert "at most 1 images" in more.text
    assert client.post(f"{address}/say", data={"text": "x" * 5000}).status_code == 422
    assert client.post(f"{address}/say", data={"text": "  "}).status_code == 422
    assert client.post(f"{address}/rename", data={"title": " "}).status_code == 422


def test_too_large_an_upload_is_cut_off(client):
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(limits.MAX_UPLOAD + 1)}
    assert client.post("/new", content=b"--x--", headers=headers).status_code == 413


def test_a_decision_that_does_not_wait_is_told(client, leaf):
    answer = client.post(f"{begin(client, leaf)}/decide", data={"reading": "reading1", "label": "scab"})
    assert answer.status_code == 422
    assert "does not wait" in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "", "localhost.evil.example"])
def test_another_host_name_is_not_answered(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "192.168.1.4", socket.gethostname()]
)
def test_its_own_names_are_answered(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:9000"])
def test_other_pages_change_nothing(client, leaf, origin):
    address = begin(client, leaf)
    assert client.post(f"{address}/delete", headers={"Origin": origin}).status_code == 403
    assert client.get(address).status_code == 200


# -- several users ------------------------------------------------------------------------------------------------


def test_without_the_token_nothing_is_shown(made, leaf):
    client = client_of(made(TOKEN))
    for path in ("/", "/waiting", "/lists", "/s/session1", "/s/session1/events"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert "Which token?" in answer.text
    assert client.post("/new", files=[("files", ("a.png", leaf.read_bytes(), "image/png"))]).status_code == 401
    assert client.get("/", params={"token": TOKEN + "x"}).status_code == 401
    assert client.post("/enter", data={"token": "wrong"}).status_code == 401
    assert not client.cookies


def test_the_token_becomes_a_cookie_that_scripts_cannot_read(made):
    client = client_of(made(TOKEN))
    answer = client.get("/waiting", params={"token": TOKEN, "x": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/waiting?x=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert TOKEN not in cookie
    assert client.get("/").status_code == 200
    entered = client_of(made(TOKEN)).post("/enter", data={"token": TOKEN})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    away = client_of(made(TOKEN)).get(f"{HERE}//evil.example/", params={"token": TOKEN})
    assert away.headers["location"] == "/evil.example/"


def test_users_do_not_see_each_other_s_sessions(made, leaf):
    app = made(TOKEN)
    one, two = client_of(app), client_of(app)
    for client in (one, two):
        client.get("/", params={"token": TOKEN})
        client.get("/")
    address = begin(one, leaf, "doubtful.png")
    assert one.get(address).status_code == 200
    assert "doubtful.png" in one.get("/waiting").text
    assert "doubtful.png" not in two.get("/").text + two.get("/waiting").text
    refused = [two.get(address), two.get(f"{address}/events"), two.get(f"{address}/export/html")]
    refused += [two.post(f"{address}/{what}") for what in ("say", "delete", "images", "decide", "rename")]
    assert {answer.status_code for answer in refused} == {404}


def test_a_token_is_made_where_the_network_can_come_in():
    assert chosen_token("127.0.0.1", None) is None
    assert is_loopback("::1")
    assert is_loopback("localhost")
    made = chosen_token("0.0.0.0", None)
    assert len(made) > 40
    assert chosen_token("::", None) != made
    assert chosen_token("0.0.0.0", TOKEN) == TOKEN
    with pytest.raises(DataError, match="at least 16"):
        chosen_token("0.0.0.0", "short")


# -- the stream ---------------------------------------------------------------------------------------------------


def messages(base, address, n, **how):
    """The next ``n`` messages of a stream: their numbers and what they hold."""
    found = []
    with httpx2.Client(trust_env=False, timeout=60) as client, client.stream("GET", base + address, **how) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        number, data = 0, []
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                number = int(value)
            elif name == "data":
                data.append(value)
            elif not line and data:
                found.append((number, "\n".join(data)))
                data = []
            if len(found) == n:
                return found
    return found


def test_events_stream_as_they_happen_and_are_replayed_from_the_last_one_seen(made, leaf):
    with running(made(pause=0.01)) as base, httpx2.Client(trust_env=False, headers={"Origin": base}) as client:
        sent = [("files", ("doubtful.png", leaf.read_bytes(), "image/png"))]
        address = client.post(f"{base}/new", files=sent).headers["location"] + "/events"
        told = messages(base, address, 8)
        assert [number for number, _ in told] == list(range(1, 9))
        assert 'hx-swap-oob="beforeend:#shots"' in told[0][1]
        assert "reading …" in told[1][1]
        assert "rust" in told[3][1]
        assert 'class="dr-card"' in told[6][1]
        assert 'class="decide"' in told[7][1]
        again = messages(base, address, 2, headers={"Last-Event-ID": "6"})
        assert again == told[6:]
        assert messages(base, f"{address}?after=7", 1) == told[7:]
        assert messages(base, f"{address}?after=x", 1) == told[:1]


def test_an_address_in_use_is_told():
    with bound("127.0.0.1", 0) as taken, pytest.raises(DataError, match="choose another --port"):
        bound("127.0.0.1", taken.getsockname()[1])


def test_the_glossary_has_a_page_and_every_page_links_to_it(client):
    for address in ("/", "/waiting", "/words"):
        assert 'href="/words"' in client.get(address).text
    page = client.get("/words").text
    assert 'id="word-calibrated"' in page
