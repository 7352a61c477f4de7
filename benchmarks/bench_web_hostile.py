"""What hostile requests cost the real server: memory under huge posts, and connections that are never finished."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves
from benchmarks.figure import Figure, Skipped
from benchmarks.memory_use import resident_of
from doubleread.web.limits import WebLimits

POSTS, BYTES = 20, 190_000_000
HALF_SENT = 50
_SPARE_S = 5.0
_BLOCK = b"a" * 65536
_PARTS = "multipart/form-data; boundary=x"
_PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'


def web_hostile() -> Iterator[Figure]:
    """Memory of ``doubleread serve`` under 20 posts of 190 MB at once, over its rest; and half-sent requests."""
    with TemporaryDirectory(prefix="doubleread-bench-") as scratch, _serving(Path(scratch)) as (process, port):
        ratios = [_ratio(process.pid, port, path, kind) for path, kind in _HOSTILE]
        yield Figure(
            name="web.hostile_memory_ratio",
            value=max(ratios),
            n=len(ratios) * POSTS,
            target="<= 1.2",
            note=f"peak over rest, {POSTS} posts of {BYTES / 1e6:.0f} MB at once, the worst of {len(ratios)} kinds",
        )
        left = asyncio.run(_half_sent(port))
        yield Figure(
            name="web.half_sent_open",
            value=float(left),
            n=HALF_SENT * len(_BEGUN),
            target="== 0",
            note=f"connections open {WebLimits().grace_s + _SPARE_S:.0f} s after a part of a request",
        )


_HOSTILE = (
    ("/enter", "application/x-www-form-urlencoded"), ("/new", _PARTS), ("/new", "text/plain"), ("/new", "chunked"),
    ("/name", "application/x-www-form-urlencoded"), ("/", "text/plain"),
)  # fmt: skip
_UPLOAD = f"Origin: http://{{host}}\r\nContent-Type: {_PARTS}\r\nContent-Length: 100000\r\n\r\n--x\r\n"
_BEGUN = (
    "",
    "GET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ",
    "POST /enter HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 100\r\n\r\ntoken=",
    "POST /new HTTP/1.1\r\nHost: {host}\r\n" + _UPLOAD,
)


@contextmanager
def _serving(scratch: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    settings = scratch / "settings.toml"
    settings.write_text(f'[sessions]\nfolder = "{(scratch / "sessions").as_posix()}"\n', encoding="utf-8")
    panel = str(judged_panel(leaves).folder)
    command = [sys.executable, "-m", "doubleread", "serve", "--panel", panel, "--settings", str(settings)]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            where = next((line for line in process.stdout if line.startswith("serving at ")), "")
            if not where:
                raise Skipped("doubleread serve did not start")
            yield process, int(where.rstrip().rpartition(":")[2])
        finally:
            process.send_signal(signal.SIGINT)


def _ratio(pid: int, port: int, path: str, kind: str) -> float:
    rest, peaks, over = resident_of(pid), [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            peaks.append(resident_of(pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        asyncio.run(_posts(port, path, kind))
    finally:
        over.set()
        watching.join()
    return max(peaks) / rest


async def _posts(port: int, path: str, kind: str) -> None:
    await asyncio.gather(*(_post(port, path, kind) for _ in range(POSTS)))


async def _post(port: int, path: str, kind: str) -> None:
    """Sends until everything is sent or the server has had enough."""
    host, chunked = f"127.0.0.1:{port}", kind == "chunked"
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {BYTES}"
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        begun = _PART if kind == _PARTS else b""
        writer.write(head.encode() + begun)
        for _ in range((BYTES - len(begun)) // len(_BLOCK)):
            writer.write(b"10000\r\n" + _BLOCK + b"\r\n" if chunked else _BLOCK)
            await writer.drain()
        await asyncio.wait_for(reader.read(), 60)
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()


async def _half_sent(port: int) -> int:
    """Connections of which a part of a request was sent, that are still open after the time they are given."""
    host = f"127.0.0.1:{port}"
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(HALF_SENT * len(_BEGUN))]
    for i, (_, writer) in enumerate(lines):
        writer.write(_BEGUN[i % len(_BEGUN)].format(host=host).encode())
    until = time.monotonic() + WebLimits().grace_s + _SPARE_S
    ends = [asyncio.ensure_future(_ended(reader)) for reader, _ in lines]
    _, left = await asyncio.wait(ends, timeout=until - time.monotonic())
    for one in left:
        one.cancel()
    for _, writer in lines:
        writer.close()
    return len(left)


async def _ended(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65536):
            pass
    except OSError:
        pass
