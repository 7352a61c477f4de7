"""Servers that are not there, or not right, are found out within seconds and without a paid call."""

import socket
import time

import pytest
from models_kit import KEY

from benchmarks.raw_server import raw_server, unreachable, whole
from doubleread.agents.vlm.vlm_options import VlmOptions
from doubleread.agents.wire.reachability import PATIENCE_S, server_problems
from doubleread.mock_server import running


def problem(base_url, **options):
    """What is wrong with one server, or None."""
    return server_problems({"gpt": VlmOptions(base_url=base_url, model="mock-1", **options)}).get("gpt")


@pytest.fixture
def closed():
    """An address at which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{one.getsockname()[1]}/v1"


def test_a_server_that_answers_has_no_problem_and_is_asked_for_nothing_paid():
    with running() as mock:
        assert problem(mock.base_url) is None
        assert mock.server.requests == []
        assert server_problems({}) == {}


def test_nothing_listens_there(closed):
    found = problem(closed)
    assert found.certain
    assert closed in found.text
    assert "no connection" in found.text


def test_every_attempt_to_connect_is_dropped():
    with unreachable() as address:
        found = problem(address)
    assert found.certain
    assert "no connection in time" in found.text


def test_there_is_no_such_host():
    found = problem("http://no-such-host.invalid/v1")
    assert found.certain or "proxy" in found.text.lower()


def test_a_server_that_never_answers_may_be_busy():
    began = time.monotonic()
    with raw_server(lambda connection: time.sleep(30)) as silent:
        found = problem(silent.base_url)
    assert not found.certain
    assert found.text.endswith(f"gave no answer within {PATIENCE_S:g} s")
    assert time.monotonic() - began < 25  # not 30


@pytest.mark.parametrize(
    ("status", "certain"), [(401, True), (403, None), (404, None), (405, None), (429, None), (500, None), (503, None)]
)
def test_only_a_refused_key_is_certain(status, certain, monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)
    body = b'{"error": {"message": "not with ' + KEY.encode() + b'"}}'
    with raw_server(lambda connection: connection.sendall(whole(body, status=f"{status} x"))) as server:
        found = problem(server.base_url, key_variable="TEST_KEY")
        assert (found and found.certain) == certain
        assert KEY not in str(found)
        bare = problem(server.base_url.removesuffix("/v1"), key_variable="TEST_KEY")
        assert ("Does the address end in /v1?" in str(bare)) == (status == 404)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"data": 3}', b'{"data": [{"id": 3}, 4, null]}', b"\xff", b'{"data": []}']
)
def test_a_list_that_cannot_be_read_is_no_problem(body):
    with raw_server(lambda connection: connection.sendall(whole(body))) as server:
        assert problem(server.base_url) is None


def test_a_model_that_is_not_listed_is_said_with_those_that_are():
    with running() as mock:
        options = VlmOptions(base_url=mock.base_url, model="mock-2")
        found = server_problems({"gpt": options})["gpt"]
    assert not found.certain
    assert "does not list the model 'mock-2'; it lists 1, such as mock-1" in found.text


def test_a_tag_of_the_model_is_the_model():
    with raw_server(lambda connection: connection.sendall(whole(b'{"data": [{"id": "mock-1:latest"}]}'))) as one:
        assert problem(one.base_url) is None


def test_a_key_that_is_not_set(monkeypatch, closed):
    monkeypatch.delenv("TEST_KEY", raising=False)
    assert problem(closed, key_variable="TEST_KEY").text == "the environment variable TEST_KEY is not set"


def test_several_servers_are_asked_at_the_same_time(closed):
    with raw_server(lambda connection: time.sleep(30)) as silent:
        servers = {f"{i}": VlmOptions(base_url=silent.base_url, model="m") for i in range(8)}
        began = time.monotonic()
        found = server_problems({**servers, "gone": VlmOptions(base_url=closed, model="m")})
        taken = time.monotonic() - began
    assert len(found) == 9
    assert taken < 4 * PATIENCE_S  # and not 8 times
