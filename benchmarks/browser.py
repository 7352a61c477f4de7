"""A headless Chromium, spoken to over its debugging pipe: no driver, no port, no profile that stays."""

import json
import os
import select
import shutil
import signal
import tempfile
import time
from base64 import b64decode
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from doubleread.core.types import Json

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-ipc-flooding-protection",  # else it holds back who follows more than 20 links a second
    "--remote-debugging-pipe",
)
_FIRST_FREE = 10
"""Descriptors from here on are ours; Chromium reads commands from 3 and answers on 4."""
PATIENCE, _PAUSE = 20.0, 0.015
"""Seconds until a browser is given up, and between two looks at a page."""
_LOCAL = ("data:", "blob:", "file:", "about:")


class PageFailed(Exception):
    """The page threw, or the browser refused a command."""


def chromium() -> str | None:
    """Path of a Chromium on this machine; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page in a headless Chromium; close it, or use it in a ``with`` block.

    ``errors`` collects what the page complained of (exceptions, console errors, refused loads), ``requests`` every
    address it asked for that is not on this machine.
    """

    def __init__(self, executable: str, *, width: int = 1400, height: int = 1000, dark: bool = False) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._count, self._rest, self._session = 0, b"", ""
        self._own, self._path, self._loads = "", "", 0
        self._profile = tempfile.mkdtemp(prefix="doubleread-chromium-")
        self._pid, self._to, self._from = _start(executable, self._profile)
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._send(f"{domain}.enable")
        self.resize(width, height)
        self.scheme(dark=dark)

    def resize(self, width: int, height: int, *, density: float = 1) -> None:
        """Another window, in CSS pixels, each of them ``density`` pixels of the screen wide."""
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=density,
            mobile=width < 600,
        )

    def scheme(self, *, dark: bool = False, printed: bool = False) -> None:
        """What the system is said to prefer, and whether the page is shown as it would be printed."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._send("Emulation.setEmulatedMedia", media="print" if printed else "", features=features)

    def scripts(self, *, on: bool) -> None:
        """Whether the next page may run scripts."""
        self._send("Emulation.setScriptExecutionDisabled", value=not on)

    def open(self, place: Path | str, fragment: str = "") -> None:
        """Loads a file, or the page of a server, and waits until it has loaded; that server counts as this machine."""
        url = place if isinstance(place, str) else place.absolute().as_uri()
        self._load("about:blank")
        self._own = _origin(url)
        self._load(url + fragment)

    def choose(self, selector: str, *files: Path) -> None:
        """Puts files into a file input, as if a person had chosen them."""
        root = self._send("DOM.getDocument")["root"]["nodeId"]
        node = self._send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._send("DOM.setFileInputFiles", nodeId=node, files=[str(file.absolute()) for file in files])

    def arrive(self, path: str) -> None:
        """Waits until the page has gone to an address that begins like this, and has loaded."""
        while not self._path.startswith(path):
            self._next()
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited; raises ``PageFailed`` where it throws."""
        said = self._send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise PageFailed(json.dumps(said["exceptionDetails"].get("exception", said["exceptionDetails"])))
        return said["result"].get("value")

    def until(self, condition: str) -> None:
        """Waits until a JavaScript condition holds; raises ``PageFailed`` after ``PATIENCE`` seconds."""
        end = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise PageFailed(f"not within {PATIENCE} s: {condition}")
            time.sleep(_PAUSE)

    def press(self, key: str) -> None:
        """A key going down and up: one letter, or a name such as ``Enter`` or ``Escape``."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowUp": 38, "ArrowDown": 40}.get(key, 0)
        letter = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        fields = {"key": key, "windowsVirtualKeyCode": code, **({"text": letter} if letter else {})}
        self._send("Input.dispatchKeyEvent", type="keyDown" if letter else "rawKeyDown", **fields)
        self._send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def tap(self, x: float, y: float) -> None:
        """A finger on a place of the window."""
        self._send("Emulation.setTouchEmulationEnabled", enabled=True)
        self._send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self._send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self._send("Emulation.setTouchEmulationEnabled", enabled=False)

    def screenshot(self, *, whole: bool = False) -> bytes:
        """What the window shows, or the ``whole`` page, as PNG."""
        return b64decode(self._send("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def pdf(self) -> bytes:
        """The page as it would be printed."""
        return b64decode(self._send("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])

    def close(self) -> None:
        """Ends the browser and throws its profile away."""
        if self._pid:
            os.killpg(self._pid, signal.SIGKILL)  # it leads a group of its own
            os.waitpid(self._pid, 0)
            os.close(self._to)
            os.close(self._from)
            self._pid = 0
        shutil.rmtree(self._profile, ignore_errors=True)

    def _send(self, method: str, **params: Any) -> Json:
        self._count += 1
        session = {"sessionId": self._session} if self._session else {}
        message = json.dumps({"id": self._count, "method": method, "params": params, **session})
        os.write(self._to, message.encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") != self._count:
                continue
            if "error" in said:
                raise PageFailed(f"{method}: {said['error'].get('message')}")
            return dict(said["result"])

    def _load(self, url: str) -> None:
        before = self._loads
        self._send("Page.navigate", url=url)
        while self._loads == before:  # it may have loaded before the command was answered
            self._next()

    def _next(self) -> Json:
        while b"\0" not in self._rest:
            if not select.select([self._from], [], [], PATIENCE)[0]:
                raise PageFailed(f"the browser has not answered within {PATIENCE} s")
            read = os.read(self._from, 1 << 20)
            if not read:
                raise PageFailed("the browser has ended")
            self._rest += read
        line, self._rest = self._rest.split(b"\0", 1)
        said: Json = json.loads(line)
        self._note(said.get("method", ""), said.get("params", {}))
        return said

    def _note(self, event: str, params: Json) -> None:
        if event == "Page.loadEventFired":
            self._loads += 1
        elif event == "Page.frameNavigated":
            self._path = urlsplit(params["frame"]["url"]).path
        elif event == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"].get("exception", {}).get("description", params)))
        elif event == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
            self.errors.append(json.dumps(params["args"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.errors.append(str(params["entry"]["text"]))
        elif event == "Network.requestWillBeSent":
            url = str(params["request"]["url"])
            if not url.startswith(_LOCAL) and _origin(url) != self._own:
                self.requests.append(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _origin(url: str) -> str:
    scheme, place, *_ = urlsplit(url)
    return f"{scheme}://{place}"


def _start(executable: str, profile: str) -> tuple[int, int, int]:
    """Process id, the end to write commands to, the end to read answers from."""
    import fcntl  # noqa: PLC0415  (not everywhere, and only needed here)

    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for fd in (theirs_in, theirs_out)]
    quiet = os.open(os.devnull, os.O_RDWR)
    actions = [
        *((os.POSIX_SPAWN_DUP2, quiet, fd) for fd in (0, 1, 2)),
        (os.POSIX_SPAWN_DUP2, theirs[0], 3),
        (os.POSIX_SPAWN_DUP2, theirs[1], 4),
    ]
    command = [executable, *_FLAGS, f"--user-data-dir={profile}"]
    pid = os.posix_spawn(executable, command, os.environ, file_actions=actions, setsid=True)
    for fd in (theirs_in, theirs_out, quiet, *theirs):
        os.close(fd)
    return pid, ours_out, ours_in
