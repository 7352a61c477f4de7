"""How soon somebody at the browser sees something, and the verdict; and whether ten at once get what they came for."""

import asyncio
import io
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from PIL import ImageOps

from benchmarks.bench_panel import judged_panel
from benchmarks.browser import MISSING, Browser, Page, chromium
from benchmarks.data import leaves
from benchmarks.figure import Figure, Skipped
from doubleread.panel import Panel
from doubleread.rag.images.safe_images import open_image
from doubleread.sessions.engine import Sessions
from doubleread.web.app import make_app
from doubleread.web.pages import PanelFacts
from doubleread.web.rules import Rules
from doubleread.web.serving import running

UPLOADS, AT_ONCE = 20, 10
PATIENCE_S = 30


def web_seconds() -> Iterator[Figure]:
    """Seconds from choosing an image to the first progress on the page, and to the verdict; raises ``Skipped``."""
    executable = chromium()
    if executable is None:
        raise Skipped(MISSING)
    with TemporaryDirectory(prefix="doubleread-bench-") as scratch, _served(Path(scratch)) as base:
        files = _pictures(Path(scratch), UPLOADS + 1)
        with Browser(executable) as browser:
            page = browser.page()
            page.open(base)
            page.choose("#files", files[0])
            page.arrive("/s/")
            page.until("document.querySelectorAll('.dr-card').length === 1")
            waits = [_upload(page, file, n) for n, file in enumerate(files[1:], start=2)]
    for name, times, target in zip(("first_progress", "verdict"), zip(*waits, strict=True), (0.3, 1.0), strict=True):
        note = "median and range, local panel"
        yield Figure.over(f"web.{name}_seconds", times, f"<= {target}", note, by=statistics.median)


def web_at_once() -> Iterator[Figure]:
    """Sessions that do not get their verdict when ten people send an image at the same moment."""
    with TemporaryDirectory(prefix="doubleread-bench-") as scratch, _served(Path(scratch)) as base:
        files = _pictures(Path(scratch), AT_ONCE)
        began = time.perf_counter()
        got = asyncio.run(_all(base, files))
        taken = time.perf_counter() - began
    yield Figure(
        name="web.at_once_errors",
        value=float(got.count(False)),
        n=AT_ONCE,
        target="== 0",
        note=f"the last verdict came after {taken:.1f} s",
    )


def _upload(page: Page, file: Path, n: int) -> tuple[float, float]:
    """Seconds until the ``n``th image shows any progress, and until its card is there."""
    began = time.perf_counter()
    page.choose("#files", file)
    page.until(f"document.querySelectorAll('.shot').length === {n}")
    first = time.perf_counter() - began
    page.until(f"document.querySelectorAll('.dr-card').length === {n}")
    return first, time.perf_counter() - began


async def _all(base: str, files: list[Path]) -> list[bool]:
    return await asyncio.gather(*(_one(base, file) for file in files))


async def _one(base: str, file: Path) -> bool:
    """Whether a session of its own brought the verdict on an image."""
    async with httpx2.AsyncClient(
        base_url=base, trust_env=False, timeout=PATIENCE_S, headers={"Origin": base}
    ) as client:
        made = await client.post("/new", files=[("files", (file.name, file.read_bytes(), "image/jpeg"))])
        async with client.stream("GET", made.headers["location"] + "/events") as events:
            async for line in events.aiter_lines():
                if 'class="problem"' in line:
                    return False
                if 'class="dr-card"' in line:
                    return True
    return False


def _pictures(folder: Path, n: int) -> list[Path]:
    """Leaves that the panel has never seen, mirrored, so that nothing of them is cached."""
    cases = [case for case in leaves().cases if case.split == "test" and case.path is not None]
    return [
        _mirrored(case.path, folder / f"{i}.jpg") for i, case in enumerate(cases[:: len(cases) // n][:n]) if case.path
    ]


def _mirrored(picture: Path, to: Path) -> Path:
    out = io.BytesIO()
    ImageOps.mirror(open_image(picture)).save(out, "JPEG", quality=95)
    to.write_bytes(out.getvalue())
    return to


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address of a server with the panel of leaves, warmed up."""
    with Panel.load(judged_panel(leaves).folder) as panel:
        panel.warm_up()
        sessions = Sessions(panel, folder / "sessions")
        try:
            with running(make_app(sessions, PanelFacts.of(panel), Rules())) as base:
                yield base
        finally:
            asyncio.run(sessions.close())
