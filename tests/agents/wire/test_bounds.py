"""Replies of any size and shape, over real sockets: bounded, and an answer or a fault."""

import asyncio
import bz2
import gzip
import json
import re
import subprocess
import sys
import zlib

import pytest
from models_kit import wire

from benchmarks.raw_server import head, raw_server, reset, whole
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.request import Request
from doubleread.agents.wire.server_options import Server
from doubleread.mock_server.mock_reply import MockReply, chat_body

GOOD = json.dumps(chat_body(MockReply(text="yes"))).encode()
UNFOLDED = bytes(30_000_000)
QUESTION = Request(model="m", messages=({"role": "user", "content": "which?"},))


def asked(say, **changes):
    """The text of the answer, or what the fault says; and how many requests came and were counted."""
    with raw_server(say) as server, wire() as line:
        hasty = {"attempts": 1, "attempt_timeout_s": 60.0, "deadline_s": 90.0, **changes}
        one = Server(model="m", base_url=server.base_url, **hasty)
        try:
            said = asyncio.run(line.ask(one, "gpt", QUESTION, lambda completion: None)).completion.text
        except CallFault as fault:
            said = str(fault)
        return said, server.requests, line.budget.spent.calls


def endless(*headers, status="200 OK", piece=b" " * 65_536):
    def say(connection):
        connection.sendall(head(*headers, status=status))
        while True:
            connection.sendall(piece)

    return say


def says(data):
    return lambda connection: connection.sendall(data)


def breaks(data):
    def say(connection):
        connection.sendall(data)
        return reset(connection)

    return say


CHUNK = b"3e8\r\n" + b" " * 1000 + b"\r\n"
TOO_LARGE = "server: the answer is larger than 8 MB"


@pytest.mark.parametrize(
    ("say", "said"),
    [
        (endless("connection: close"), TOO_LARGE),
        (endless("content-length: 99999999999"), TOO_LARGE),
        (endless("transfer-encoding: chunked", piece=CHUNK * 60), TOO_LARGE),
        (endless("content-encoding: gzip", "connection: close", piece=gzip.compress(b"{}") * 999), TOO_LARGE),
        (says(whole(gzip.compress(UNFOLDED), "content-encoding: gzip")), TOO_LARGE),
        (says(whole(gzip.compress(gzip.compress(UNFOLDED)), "content-encoding: gzip, gzip")), TOO_LARGE),
        (says(whole(zlib.compress(UNFOLDED), "content-encoding: deflate")), TOO_LARGE),
        (says(whole(GOOD, "content-encoding: " + ", ".join(["gzip"] * 6))), "network: .*DecodingError"),
        (says(whole(GOOD, "content-encoding: gzip")), "network: .*DecodingError"),
        (says(whole(gzip.compress(GOOD), "content-encoding: gzip")), "yes"),
        (endless("connection: close", status="500 No"), "server: HTTP 500"),
        (endless("connection: close", status="401 No"), "authentication: HTTP 401"),
        (endless("location: http://127.0.0.1:9/", status="307 There"), "bad-request: HTTP 307: the server redirects"),
        (breaks(head("content-length: 9999", status="403 No") + b'{"er'), "authentication: HTTP 403"),
        (says(whole(gzip.compress(UNFOLDED), "content-encoding: gzip", status="500 No")), "server: HTTP 500"),
        (
            says(b"HTTP/1.1 400 No\r\ncontent-type: text/plain; charset=bz2_codec\r\ncontent-length: %d\r\n\r\n%s" % (
                len(bz2.compress(UNFOLDED)), bz2.compress(UNFOLDED))),
            "bad-request: HTTP 400",
        ),
        (says(whole(GOOD, "x-request-id: " + "a" * 1_000_000)), "network: .*RemoteProtocolError"),
        (says(whole(GOOD, "x-request-id: " + "a" * 50_000)), "yes"),
        (says(whole(GOOD, "x-request-id: ²\x80", "retry-after: ²")), "yes"),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + whole(GOOD)), "yes"),
        (says(b"\x00\xff" * 10_000), "network: .*RemoteProtocolError"),
        (breaks(b"HTTP/1.1 200 OK\r\ncont"), "network: the connection broke"),
        (breaks(head("content-length: 1000") + b'{"ch'), "network: the connection broke"),
        (reset, "network: the connection broke"),
        (says(b"HTTP/1.1 204 None\r\n\r\n"), "server: the answer is not JSON"),
    ],
)  # fmt: skip
def test_a_reply_of_any_shape_is_an_answer_or_a_fault_and_counted_once(say, said):
    found, received, counted = asked(say)
    assert re.match(said, found), found
    assert received == counted == 1


@pytest.mark.parametrize(
    "value", ["inf", "nan", "1e9", "-1", "²", "x" * 9000, "Fri, 31 Dec 9999 23:59:59 -2359", "9" * 5000]
)
def test_any_wait_that_a_server_asks_for_is_a_wait_or_none(value):
    header = f"retry-after: {value}".encode("latin-1", "replace").decode("latin-1")
    found, _, _ = asked(says(whole(b"{}", header, status="500 No")))
    assert found.startswith("server: HTTP 500")
    found, received, counted = asked(says(whole(b"{}", header, status="429 No")), deadline_s=0.3)
    assert found.startswith("rate-limit: HTTP 429")
    assert received == counted >= 1


PEAK = """
import asyncio, gzip, resource, sys
sys.path.insert(0, sys.argv[1])
from test_bounds import asked, says, whole, endless
asked(says(whole(b"{}")))
bodies = [b'{"choices":[' + unit * (7_900_000 // len(unit)) + b"1]}" for unit in
          ('"\\u0101",'.encode(), '"\\U0001f600",'.encode(), b"0.1,", b"[],", b'{"":{"":{}}},')]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for body in bodies:
    asked(says(whole(body)))
asked(endless("connection: close"))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems count memory in other units")
def test_no_reply_takes_300_mb(pytestconfig):
    folders = [str(pytestconfig.rootpath / "tests" / "agents" / "wire"), str(pytestconfig.rootpath / "tests")]
    run = f"import sys; sys.path.insert(0, {folders[1]!r})\n{PEAK}"
    done = subprocess.run([sys.executable, "-c", run, folders[0]], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 300
