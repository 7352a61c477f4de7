"""What is too much, too slow or odd, over HTTP: refused in words, and nothing is held or lost."""

import socket
import time
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from kit import photo
from starlette.testclient import TestClient
from web_kit import ABOUT, ScriptedSessions

from doubleread.core.errors import SessionsFull
from doubleread.web.app import make_app
from doubleread.web.limits import ENTRY_BYTES, FORM_BYTES, MAX_FILES, WebLimits, whole_number
from doubleread.web.rules import Rules
from doubleread.web.serving import running

TOKEN = "a token of more than sixteen"
HERE = "http://localhost:8000"
QUICK = WebLimits(grace_s=0.3, slowest=1_000_000)
ODD = ("9" * 5000, "-1", "²", "٣", "1e3", "0x10", " 1", "1\x00", "𝟙", "inf", "", "+1", "1_0")


@pytest.fixture
def leaf(tmp_path):
    return photo(tmp_path / "leaf.png", 0, 1)


@pytest.fixture
def sessions(tmp_path, leaf):
    return ScriptedSessions(tmp_path, neighbours=(leaf,))


def client_of(sessions, limits=WebLimits(), token=None, **more):  # noqa: B008 - frozen
    app = make_app(sessions, ABOUT, Rules(token=token), limits)
    client = TestClient(app, base_url=HERE, headers={"Origin": HERE}, follow_redirects=False, **more)
    if token:
        client.post("/enter", data={"token": token})
    return client


def images(leaf, n=1):
    return [("files", (f"leaf{i}.png", leaf.read_bytes(), "image/png")) for i in range(n)]


def begin(client, leaf):
    return client.post("/new", files=images(leaf)).headers["location"]


# -- bodies -------------------------------------------------------------------------------------------------------


@contextmanager
def talking(base):
    parts = urlsplit(base)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as line:
        yield line, f"Host: {parts.netloc}\r\nOrigin: {base}\r\n"


def answer(line):
    """What comes until the server closes the connection."""
    found = b""
    try:
        while part := line.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found.decode(errors="replace")


def test_who_has_not_entered_may_send_a_few_kilobytes(sessions):
    client = client_of(sessions, token=TOKEN)
    client.cookies.clear()
    assert client.post("/enter", data={"token": "x" * ENTRY_BYTES}).status_code == 413
    assert client.post("/new", content=b"x" * 100_000).status_code == 401
    assert client.post("/enter", data={"token": TOKEN}).status_code == 303


def test_a_form_without_images_is_short_and_says_so(sessions, leaf):
    client = client_of(sessions)
    address = begin(client, leaf)
    refused = client.post(f"{address}/say", data={"text": "x" * FORM_BYTES})
    assert refused.status_code == 413
    assert "at most 64 kB" in refused.text
    assert client.post(f"{address}/say", data={"text": "\U0001f341" * 4000}).status_code == 303


@pytest.mark.parametrize("head", ["Content-Length: 190000000", "Transfer-Encoding: chunked"])
def test_what_is_too_large_is_refused_before_it_has_come(sessions, head):
    with running(make_app(sessions, ABOUT, Rules(token=TOKEN))) as base, talking(base) as (line, host):
        line.sendall(f"POST /enter HTTP/1.1\r\n{host}{head}\r\n\r\n".encode())
        line.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        refused = line.recv(4000).decode()
        assert refused.startswith("HTTP/1.1 413 ")
        assert "connection: close" in refused.lower()


def test_many_parts_and_long_heads_are_refused(sessions, leaf):
    client = client_of(sessions)
    assert client.post("/new", files=images(leaf, MAX_FILES + 1)).status_code == 400
    fields = [("x", (None, "1")) for _ in range(50)]
    assert client.post("/new", files=fields).status_code == 400
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + b"a" * 100_000 + b'"\r\n\r\n\r\n--x--'
    sent = client.post("/new", content=head, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert sent.status_code == 400
    assert "cannot be read" in sent.text


@pytest.mark.parametrize("begun", ["", "GET / HT", "GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: "])
def test_a_head_that_does_not_end_is_given_up(sessions, begun):
    with running(make_app(sessions, ABOUT, Rules(), QUICK)) as base, talking(base) as (line, _):
        line.sendall(begun.encode())
        assert answer(line) == ""
        assert httpx2.get(base, trust_env=False).status_code == 200


def test_the_next_request_on_a_connection_is_timed_too(sessions):
    with running(make_app(sessions, ABOUT, Rules(), QUICK)) as base, talking(base) as (line, host):
        line.sendall(f"GET /static/icon.svg HTTP/1.1\r\n{host}\r\n".encode())
        assert line.recv(4000).startswith(b"HTTP/1.1 200")
        line.sendall(b"GET /")
        assert "HTTP/1.1" not in answer(line)


def test_a_body_that_does_not_come_is_given_up(sessions):
    with running(make_app(sessions, ABOUT, Rules(token=TOKEN), QUICK)) as base, talking(base) as (line, host):
        line.sendall(f"POST /enter HTTP/1.1\r\n{host}Content-Length: 100\r\n\r\ntoken=".encode())
        refused = answer(line)
        assert refused.startswith("HTTP/1.1 408")
        assert "took too long" in refused


def test_an_upload_that_drips_is_given_up(sessions, leaf):
    with running(make_app(sessions, ABOUT, Rules(), QUICK)) as base, talking(base) as (line, host):
        kind = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n"
        line.sendall(f"POST /new HTTP/1.1\r\n{host}{kind}".encode())
        line.sendall(b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n')
        until = time.monotonic() + 60
        try:
            while time.monotonic() < until:
                line.sendall(b"a")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() < until
    assert sessions.titles == {}


def test_connections_beyond_the_most_are_closed_at_once(sessions):
    with (
        running(make_app(sessions, ABOUT, Rules(), WebLimits(connections=2))) as base,
        talking(base),
        talking(base),
        talking(base) as (third, _),
    ):
        assert answer(third) == ""


# -- quotas -------------------------------------------------------------------------------------------------------


def test_a_user_has_so_many_sessions_and_is_told(sessions, leaf):
    client = client_of(sessions, WebLimits(user_sessions=1), TOKEN)
    begin(client, leaf)
    refused = client.post("/new", files=images(leaf))
    assert refused.status_code == 507
    assert "you have 1 sessions" in refused.text
    assert "What was there before is kept" in refused.text
    other = client_of(sessions, WebLimits(user_sessions=1, all_sessions=1), TOKEN)
    assert "the server holds 1 sessions" in other.post("/new", files=images(leaf)).text
    assert len(sessions.titles) == 1


def test_bytes_are_counted_by_user_and_for_all(sessions, leaf):
    size = leaf.stat().st_size
    one, two = (client_of(sessions, WebLimits(user_bytes=2 * size), TOKEN) for _ in range(2))
    address = begin(one, leaf)
    refused = one.post(f"{address}/images", files=images(leaf, 2))
    assert refused.status_code == 507
    assert "your sessions hold" in refused.text
    assert begin(two, leaf)
    full = client_of(sessions, WebLimits(all_bytes=2 * size), TOKEN).post("/new", files=images(leaf))
    assert full.status_code == 507
    assert "the server holds" in full.text


def test_a_disk_that_is_nearly_full_takes_no_upload(sessions, leaf):
    client = client_of(sessions)
    address = begin(client, leaf)
    sessions.free = 500_000_000
    refused = client.post(f"{address}/images", files=images(leaf), headers={"HX-Request": "true"})
    assert refused.status_code == 507
    assert refused.headers["hx-retarget"] == "#notices"
    assert "nearly full" in refused.text
    assert client.get(address).status_code == 200


def test_a_disk_that_fills_between_two_images_keeps_the_first_and_says_so(sessions, leaf):
    taken = sessions.bring

    async def bring(session, data, name, *, in_turn=False):
        if name != "leaf0.png":
            raise SessionsFull("the disk takes no more")
        return await taken(session, data, name)

    sessions.bring = bring
    client = client_of(sessions)
    address = begin(client, leaf)
    refused = client.post(f"{address}/images", files=images(leaf, 3))
    assert refused.status_code == 507
    assert "leaf1.png and 1 more not stored; those before are kept and read" in refused.text
    assert "leaf0.png" in client.get(address).text


def test_uploads_beyond_the_most_are_refused_at_once(sessions, leaf):
    limits = WebLimits(uploads=1)
    with running(make_app(sessions, ABOUT, Rules(), limits)) as base, talking(base) as (line, host):
        kind = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
        line.sendall(f"POST /new HTTP/1.1\r\n{host}{kind}".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 100")
        refused = httpx2.post(f"{base}/new", files=images(leaf), headers={"Origin": base}, trust_env=False)
        assert refused.status_code == 429
        assert "send again" in refused.text


# -- odd values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ODD)
def test_only_plain_digits_are_a_number(text):
    assert whole_number(text) is None


def test_plain_digits_are_a_number():
    assert [whole_number(text) for text in ("0", "96", "999999999")] == [0, 96, 999_999_999]


@pytest.mark.parametrize("odd", [*ODD, "../..", "%00", "a" * 10_000, "[::1", "\u202e", "'; drop table events; --"])
def test_odd_values_are_refused_everywhere_in_words(sessions, leaf, odd):
    client = client_of(sessions, raise_server_exceptions=False)
    address = begin(client, leaf)
    case = next(iter(sessions.files))[1]
    named = quote(odd, safe="")
    asked = [
        client.get(f"{address}/picture/{case}", params={"side": odd}),
        client.get(f"{address}/near/{case}", params={"side": odd}),
        client.get(f"{address}/picture/{named}"),
        client.get(f"{address}/where/{named}"),
        client.get(f"/s/{named}"),
        client.get(f"/static/{named}"),
        client.get(f"{address}/export/{named}"),
        client.get(f"{address}/where/{case}", params={"label": odd}),
        client.get(f"{address}/complete", params={"text": odd, "case": odd}),
        client.get("/lists", params={"here": odd}),
        client.get("/", headers={"Host": odd.encode(errors="replace")}),
        client.get("/", headers={"Cookie": b"doubleread-name=" + odd.encode()}),
    ]
    form = {"text": odd, "case": odd, "hint": odd, "reading": odd, "label": odd, "note": odd, "reviewer": odd}
    asked += [client.post(f"{address}/{what}", data=form) for what in ("say", "again", "decide", "rename", "images")]
    kind = b"multipart/form-data; boundary=" + odd.encode()
    asked += [
        client.post("/name", data=form),
        client.post("/name", data=form, headers={"Origin": odd.encode()}),
        client.post("/new", content=odd.encode(), headers={"Content-Type": kind}),
        client.post("/new", files=[("files", (odd.replace("\0", ""), leaf.read_bytes()))]),
    ]  # fmt: skip
    assert [one.status_code for one in asked if one.status_code >= 500] == []
    assert not any("Traceback" in one.text for one in asked)


@pytest.mark.parametrize("charset", ["hex", "punycode", "idna", "utf-16", "x" * 300, "\0", "undefined", "zlib"])
def test_odd_charsets_are_no_fault_of_the_server(sessions, charset):
    client = client_of(sessions, raise_server_exceptions=False)
    body = b'--x\r\nContent-Disposition: form-data; name="a\xff"\r\n\r\n\xff\xfe\r\n--x--\r\n'
    for kind in ("/new", "/name"):
        sent = client.post(
            kind, content=body, headers={"Content-Type": f"multipart/form-data; boundary=x; charset={charset}".encode()}
        )
        assert sent.status_code < 500
