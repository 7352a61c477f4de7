"""A headless Chromium of this machine, driven by Playwright; what its pages complain of and ask for is kept."""

import asyncio
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.async_api import Browser as Driven
from playwright.async_api import BrowserContext, Error, Playwright, async_playwright
from playwright.async_api import Page as Tab

from doubleread.core.background import Background

EXECUTABLE = "DOUBLEREAD_CHROMIUM"
"""Environment variable with the path of a Chromium; without it, one is looked for on the ``PATH``."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = f"needs a Chromium: set {EXECUTABLE}, or install one of {', '.join(NAMES)}"
PATIENCE, _PAUSE = 60.0, 0.015
"""Seconds until a page is given up, and between two looks at it."""
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-ipc-flooding-protection",  # else it holds back who follows more than 20 links a second
)
_LOCAL = ("data:", "blob:", "file:", "about:")


def chromium() -> str | None:
    """Path of a Chromium on this machine; None where there is none."""
    named = os.environ.get(EXECUTABLE)
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """A headless Chromium; close it, or use it in a ``with`` block.

    Playwright runs on an event loop in a thread of its own, so that callers may have one too. Everything raises
    ``playwright.async_api.Error`` where the page throws or does not do within ``PATIENCE`` seconds what is waited for.
    """

    def __init__(self, executable: str) -> None:
        self._loop = Background()
        self._playwright: Playwright = self._loop.call(async_playwright().start)
        self._browser: Driven = self._loop.call(self._launch, executable)

    def page(self, width: int = 1400, height: int = 1000, *, density: float = 1, phone: bool = False) -> "Page":
        """An empty page that shares neither cookies nor storage with any other.

        Its window is given in CSS pixels, each of them ``density`` pixels of the screen wide; a ``phone`` has touch.
        """
        context = self._loop.call(
            self._browser.new_context,
            viewport={"width": width, "height": height},
            device_scale_factor=density,
            is_mobile=phone,
            has_touch=phone,
        )
        return Page(self._loop, context)

    def close(self) -> None:
        """Ends the browser."""
        self._loop.call(self._browser.close)
        self._loop.call(self._playwright.stop)
        self._loop.close()

    async def _launch(self, executable: str) -> Driven:
        return await self._playwright.chromium.launch(executable_path=executable, args=_FLAGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Page:
    """One page, as one person sees it.

    ``errors`` collects what the page complained of (exceptions, console errors, refused loads), ``requests`` every
    address it asked for that is not on this machine.
    """

    def __init__(self, loop: Background, context: BrowserContext) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._loop, self._own = loop, ""
        self._page: Tab = loop.call(context.new_page)
        self._session = loop.call(context.new_cdp_session, self._page)
        loop.call(self._listen)

    def resize(self, width: int, height: int) -> None:
        """Another window, in CSS pixels."""
        self._loop.call(self._page.set_viewport_size, {"width": width, "height": height})

    def scheme(self, *, dark: bool = False, printed: bool = False) -> None:
        """What the system is said to prefer, and whether the page is shown as it would be printed."""
        self._loop.call(
            self._page.emulate_media,
            media="print" if printed else "screen",
            color_scheme="dark" if dark else "light",
        )

    def scripts(self, *, on: bool) -> None:
        """Whether the next document may run scripts."""
        self._loop.call(self._session.send, "Emulation.setScriptExecutionDisabled", {"value": not on})

    def open(self, place: Path | str, fragment: str = "") -> None:
        """Loads a file, or the page of a server, and waits until it has loaded; that server counts as this machine."""
        url = place if isinstance(place, str) else place.absolute().as_uri()
        self._loop.call(self._page.goto, "about:blank")
        self._own = _origin(url)
        self._loop.call(self._page.goto, url + fragment)

    def choose(self, selector: str, *files: Path) -> None:
        """Puts files into a file input, as if a person had chosen them."""
        self._loop.call(self._page.set_input_files, selector, list(files))

    def arrive(self, path: str) -> None:
        """Waits until the page has gone to an address that begins like this, and has loaded."""
        self._loop.call(self._page.wait_for_url, lambda url: urlsplit(url).path.startswith(path))

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        return self._loop.call(self._page.evaluate, script)

    def until(self, condition: str) -> None:
        """Waits until a JavaScript condition holds, across documents."""
        self._loop.call(self._until, f"Boolean({condition})")

    def press(self, key: str) -> None:
        """A key going down and up: one letter, or a name such as ``Enter`` or ``Escape``."""
        self._loop.call(self._page.keyboard.press, key)

    def tap(self, x: float, y: float) -> None:
        """A finger on a place of a phone."""
        self._loop.call(self._page.touchscreen.tap, x, y)

    def screenshot(self) -> bytes:
        """What the window shows, as PNG."""
        return self._loop.call(self._page.screenshot)

    def pdf(self) -> bytes:
        """The page as it would be printed."""
        return self._loop.call(self._page.pdf, print_background=True, prefer_css_page_size=True)

    def close(self) -> None:
        """Throws the page away, with its cookies."""
        self._loop.call(self._page.context.close)

    async def _until(self, condition: str) -> None:
        """Playwright's ``wait_for_function`` asks again with ``eval``, which our pages forbid."""
        end = time.monotonic() + PATIENCE
        while not await self._holds(condition):
            if time.monotonic() > end:
                raise Error(f"not within {PATIENCE} s: {condition}")
            await asyncio.sleep(_PAUSE)

    async def _holds(self, condition: str) -> bool:
        try:
            return bool(await self._page.evaluate(condition))
        except Error as error:
            if "context was destroyed" in str(error):  # the page has gone elsewhere meanwhile
                return False
            raise

    async def _listen(self) -> None:
        self._page.set_default_timeout(1000 * PATIENCE)
        self._page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._page.on("console", lambda said: self._complained(said.type, said.text))
        self._page.on("request", lambda request: self._asked(request.url))

    def _complained(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.errors.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith(_LOCAL) and _origin(url) != self._own:
            self.requests.append(url)


def _origin(url: str) -> str:
    scheme, place, *_ = urlsplit(url)
    return f"{scheme}://{place}"
