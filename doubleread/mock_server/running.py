"""Runs the server in a thread, on a free port of this machine."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from doubleread.mock_server.mock_app import Answering, MockServer, Say
from doubleread.mock_server.mock_reply import Reply
from doubleread.mock_server.rate_limits import Limits

SHUTDOWN_S = 1


@dataclass(frozen=True)
class Running:
    """A server at work."""

    base_url: str
    server: MockServer


@contextmanager
def running(
    replies: Sequence[Say] = (),
    otherwise: Answering = Reply(),  # noqa: B008 - frozen
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    latency_s: float = 0.0,
    without: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Running]:
    """The server while the block lasts; ``port`` 0 takes a free one. Raises ``OSError`` for a port in use."""
    mock = MockServer(replies, otherwise, limits, latency_s, without)
    config = uvicorn.Config(
        mock.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=SHUTDOWN_S, backlog=2048
    )
    server = uvicorn.Server(config)
    listening = socket.create_server((host, port), backlog=2048)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="mock-server", daemon=True)
    thread.start()
    try:
        yield Running(f"http://{host}:{listening.getsockname()[1]}/v1", mock)
    finally:
        server.should_exit = True
        thread.join(SHUTDOWN_S + 5)
        listening.close()
