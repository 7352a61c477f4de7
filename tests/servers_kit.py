"""Programs that serve models, and a door in front of a server that counts what passes."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

VARIABLE = "DOUBLEREAD_SERVERS"
"""Environment variable with the folder of the virtual environment that has the servers' packages."""
START_S = 120.0


def server_program(name: str) -> str:
    """Path of a program of the servers' environment."""
    if VARIABLE not in os.environ:
        pytest.skip(f"needs the servers' packages: run make test-servers, which sets {VARIABLE}")
    return str(Path(os.environ[VARIABLE]) / "bin" / name)


def local(**more: str) -> dict[str, str]:
    """The environment without proxies, which would be asked for this machine's addresses."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | more


def offline(**more: str) -> dict[str, str]:
    """The environment of a server that must not ask other machines for anything, and takes no test's packages."""
    plain = local(HF_HUB_OFFLINE="1", LITELLM_LOCAL_MODEL_COST_MAP="True", OMP_NUM_THREADS="1", **more)
    return {name: value for name, value in plain.items() if not name.startswith("PYTHON")}


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served(command: Sequence[str], health: str, log: Path, **more: str) -> Iterator[None]:
    """Runs a server, from when it answers at ``health`` until the end. Its output goes into ``log``."""
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=offline(**more))
    try:
        _wait_for(health, server, log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx2.get(url, timeout=5, trust_env=False).is_success:
                return
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer; the server said: {log.read_text(errors='replace')[-3000:]}")


@dataclass
class Door:
    """Passes requests on to ``upstream`` and keeps the questions' bodies; those beyond ``most`` wait until the end."""

    upstream: str
    most: float = float("inf")
    asked: list[bytes] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _opened: threading.Event = field(default_factory=threading.Event)

    def repeated(self) -> list[bytes]:
        """Questions that the server got more than once."""
        return [body for body, times in Counter(self.asked).items() if times > 1]

    def open(self, most: float = float("inf")) -> None:
        """Lets more questions pass, and drops those that wait."""
        with self._guard:
            self.most = most
            self.held.clear()
            self._opened.set()
            self._opened = threading.Event()

    def pass_on(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The server's answer; a GET request has no body."""
        if body is not None and not self._may_pass(body):
            return 503, b"the door was closed"
        kept = {name: value for name, value in headers.items() if name.lower() in ("authorization", "content-type")}
        url = self.upstream + path
        with httpx2.Client(timeout=120, trust_env=False) as client:
            reply = client.get(url, headers=kept) if body is None else client.post(url, content=body, headers=kept)
        return reply.status_code, reply.content

    def _may_pass(self, body: bytes) -> bool:
        with self._guard:
            if len(self.asked) < self.most:
                self.asked.append(body)
                return True
            opened = self._opened
            self.held.set()
        opened.wait()
        return False


class _Listening(ThreadingHTTPServer):
    """Takes as many connections at once as a panel may open."""

    request_queue_size = 128
    daemon_threads = True


@contextmanager
def door(base_url: str) -> Iterator[tuple[Door, str]]:
    """A door to a server, and its own ``base_url``."""
    upstream, _, path = base_url.partition("/v1")
    passing = Door(upstream)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["content-length"])))

        def _answer(self, body: bytes | None) -> None:
            status, content = passing.pass_on(self.path, body, dict(self.headers))
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # the client was killed
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = _Listening(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield passing, f"http://127.0.0.1:{server.server_address[1]}/v1{path}"
    finally:
        passing.open()
        server.shutdown()
        server.server_close()
        thread.join()


def command_line(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Runs ``doubleread`` to its end, in a process of its own."""
    return subprocess.run(_command(arguments), capture_output=True, text=True, env=local(), timeout=300, check=False)


@contextmanager
def started(*arguments: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs ``doubleread`` until it is killed at the end."""
    process = subprocess.Popen(_command(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=local())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _command(arguments: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "doubleread", *map(str, arguments)]
