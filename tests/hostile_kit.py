"""Files that are not what they seem, and a limit on the time and memory that reading them takes."""

import os
import resource
import signal
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path

from doubleread.core.errors import DoublereadError

PATIENCE_S = 20
DEEP = "[" * 100_000
LONG = "9" * 400
FILES = {
    "empty": b"",
    "zeros": bytes(5000),
    "utf-16": "path,label\na.png,x\n".encode("utf-16"),
    "latin-1": b"path,label\na.png,caf\xe9\n",
    "deep": DEEP.encode(),
    "deep-object": b'{"a":' * 50_000,
    "deep-cell": b'path,label\na.png,"' + b"[" * 50_000 + b'"\n',
    "digits": b'{"path": "a.png", "label": ' + LONG.encode() + b"}\n",
    "infinite": b'{"path": "a.png", "label": 1e999, "index": NaN}\n',
    "half-a-pair": b'{"path": "a.png", "label": "\\ud800"}\n',
    "long-field": b'path,label\na.png,"' + b"x" * 10_000_000 + b'"\n',
    "long-line": b"x" * 20_000_000,
    "open-quote": b'path,label\n"a.png,x\n',
    "nothing-but-ends": b"\n" * 100_000,
    "list": b"[1, 2]\n",
    "number": b"7\n",
    "null": b"null\n",
    "old-ends": b"path,label\ra.png,x\r",
    "noise": bytes(range(256)) * 40,
    "dotted": b"a." * 50_000 + b"a = 1\n",
    "toml-number": b"id = " + LONG.encode() + b"\n",
}
"""Contents that any file may turn out to have."""


@contextmanager
def patient():
    """Fails where the block hangs, or where it would take more than another 600 MB of memory."""

    def give_up(*_):
        raise TimeoutError(f"it took more than {PATIENCE_S} s")

    before, soft = signal.signal(signal.SIGALRM, give_up), resource.getrlimit(resource.RLIMIT_AS)
    signal.alarm(PATIENCE_S)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 600_000_000, soft[1]))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, soft)


def error_of(work):
    """What the error says that ``work`` ends in; nothing where it does not. Other errors than ours pass."""
    try:
        work()
    except DoublereadError as error:
        return str(error)
    return ""


def odd_things(folder, suffix):
    """Makes a pipe, a socket, a folder, and links to a device, to nothing and in a circle; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: folder / f"{name}{suffix}" for name in ("pipe", "socket", "folder", "zero", "nothing", "circle")}
    os.mkfifo(made["pipe"])
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as one:  # its path must be short
        one.bind(f"{short}/s")
        Path(f"{short}/s").rename(made["socket"])
    made["folder"].mkdir()
    made["zero"].symlink_to("/dev/zero")
    made["nothing"].symlink_to("nowhere")
    made["circle"].symlink_to(made["circle"].name)
    return made
