"""Runs the server: until Ctrl-C, or in a thread while a block lasts."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.applications import Starlette

from doubleread.core.errors import DataError
from doubleread.web.streaming import Streams

SHUTDOWN_S = 1
"""Open streams are given this long; browsers come back to what they missed."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; raises ``DataError`` where the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise DataError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --port or --host") from None


def serve(app: Starlette, listening: socket.socket) -> None:
    """Serves until Ctrl-C."""
    with suppress(KeyboardInterrupt):  # uvicorn raises it once more when it has stopped
        _Server(app).run(sockets=[listening])


@contextmanager
def running(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The server's address while the block lasts; port 0 takes a free one."""
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
    """Ends the open streams before it waits for connections to close."""

    def __init__(self, app: Starlette) -> None:
        self._streams: Streams = app.state.streams
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",  # faults with their traceback; addresses hold session ids and are not logged
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=SHUTDOWN_S,
                timeout_keep_alive=30,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.end()
        await super().shutdown(sockets)
