"""Runs the server until Ctrl-C, or in a thread while a block lasts."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from doubleread.core.errors import DataError
from doubleread.web._streaming import Streams
from doubleread.web.limits import WebLimits

SHUTDOWN_S = 1
"""Seconds for open streams to end; browsers reconnect and catch up."""
HEAD_BYTES = 32_000
"""Maximum bytes of a request's head: URL, cookies and other headers."""


def bound(host: str, port: int) -> socket.socket:
    """Returns a listening socket. Raises ``DataError`` if the address is not available."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise DataError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --port or --host") from None


def serve(app: Starlette, listening: socket.socket) -> None:
    """Serves until Ctrl-C."""
    with suppress(KeyboardInterrupt):  # uvicorn raises it again after stopping
        _Server(app).run(sockets=[listening])


@contextmanager
def running(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Yields the server's URL while the block lasts; port 0 picks a free port."""
    listening, server = bound(host, port), _Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="web", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(SHUTDOWN_S + 5)
        listening.close()


class _Server(uvicorn.Server):
    """Ends open streams before waiting for connections to close."""

    def __init__(self, app: Starlette) -> None:
        self._streams: Streams = app.state.streams
        limits: WebLimits = app.state.limits
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it logs every malformed form

        class Connection(_Punctual):
            patience = limits

        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",  # errors with their traceback; URLs hold session ids and are not logged
                access_log=False,
                server_header=False,
                lifespan="off",
                http=Connection,
                ws="none",
                h11_max_incomplete_event_size=HEAD_BYTES,
                proxy_headers=False,  # the access rules read them, if there is a public host
                timeout_graceful_shutdown=SHUTDOWN_S,
                timeout_keep_alive=30,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.end()
        await super().shutdown(sockets)


class _Punctual(H11Protocol):
    """Closes connections above the limit, and those that do not send a request's head in time.

    uvicorn would wait forever on a new connection and after the first byte. ``BodyLimitMiddleware`` times bodies.
    """

    patience: WebLimits
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections:
            transport.abort()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(self.patience.grace_s, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
