"""A server on this machine that gives files, and gives them badly when told to."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from doubleread.evals.public import PublicDataset, PublicFile


@dataclass
class Item:
    """What is given at one address."""

    body: bytes = b""
    etag: str | None = '"1"'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    first_byte: int | None = None
    """Where an answer to a range begins, whatever was asked."""
    length: bool = True
    cut_after: int | None = None
    """The connection ends after so many bytes."""
    seconds_a_kb: float = 0.0


@dataclass
class Shelf:
    """The items by path, and what was asked for."""

    url: str
    items: dict[str, Item] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def put(self, path: str, body: bytes = b"", **fields: object) -> str:
        self.items[path] = Item(body, **fields)  # type: ignore[arg-type]
        return f"{self.url}{path}"


def dataset_of(*files: PublicFile, **fields: object) -> PublicDataset:
    facts = {"name": "leaves", "what": "Leaves", "images": 1, "labels": ("a",), "licence": "MIT", "home": "https://x"}
    return PublicDataset.model_validate({**facts, "citation": "Nobody 2026", "files": files, **fields})


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@contextmanager
def shelf() -> Iterator[Shelf]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _give(self, found, found.items[self.path])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Shelf(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _give(handler: BaseHTTPRequestHandler, found: Shelf, item: Item) -> None:
    asked = handler.headers.get("Range")
    found.asked.append((handler.path, asked))
    start, status, body = 0, item.status, item.body
    if asked and item.ranges and handler.headers.get("If-Range") == item.etag:
        start = int(re.findall(r"\d+", asked)[0]) if item.first_byte is None else item.first_byte
        status, body = (206, body[start:]) if start < len(body) else (416, b"")
    handler.send_response(status)
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(item.body) - 1}/{len(item.body)}")
    if item.etag:
        handler.send_header("ETag", item.etag)
    for name, value in item.headers.items():
        handler.send_header(name, value)
    if item.length:
        handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    _write(handler, body[: item.cut_after], item.seconds_a_kb)


def _write(handler: BaseHTTPRequestHandler, body: bytes, seconds_a_kb: float) -> None:
    try:
        for i in range(0, len(body), 1024) if seconds_a_kb else ():
            handler.wfile.write(body[i : i + 1024])
            time.sleep(seconds_a_kb)
        if not seconds_a_kb:
            handler.wfile.write(body)
    except OSError:
        pass  # the asker has gone
