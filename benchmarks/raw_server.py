"""A server below the protocol: it counts requests and says whatever bytes it is told to, or breaks off."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

Say = Callable[[socket.socket], object]
"""Answers one request; the connection ends where it returns ``False`` or raises ``OSError``."""
_PIECE = 65_536


class RawServer:
    """Counts every request of which the headers and the declared body arrived."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.requests = 0
        self.base_url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"

    def accept(self) -> None:
        """Serves until ``close``."""
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with self._guard:
                    self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Ends all connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while _receive(connection):
                with self._guard:
                    self.requests += 1
                if self._say(connection) is False:
                    break
        with self._guard:
            self._open.discard(connection)


@contextmanager
def raw_server(say: Say) -> Iterator[RawServer]:
    """The server while the block lasts."""
    server = RawServer(say)
    thread = threading.Thread(target=server.accept, name="raw-server", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)


@contextmanager
def unreachable() -> Iterator[str]:
    """An address that drops every attempt to connect, as one behind a firewall does: its queue is full."""
    with ExitStack() as held:
        full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}/v1"


def reset(connection: socket.socket) -> bool:
    """Breaks the connection off without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def head(*headers: str, status: str = "200 OK") -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", "content-type: application/json", *headers, "", ""]).encode("latin-1")


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer."""
    return head(f"content-length: {len(body)}", *headers, status=status) + body


def _receive(connection: socket.socket) -> bool:
    """Reads one request; False where there is none any more."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(_PIECE)):
            return False
        data += piece
    top, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0]) - len(body) if lengths else 0
    while left > 0:
        if not (piece := connection.recv(_PIECE)):
            return False
        left -= len(piece)
    return True
