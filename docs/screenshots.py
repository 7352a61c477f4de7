"""The pictures of sessions in the documents, made anew: ``make demo``, then python docs/screenshots.py.

Takes the panel that the demo fitted and cells it has never seen, serves them, and looks with a headless Chromium; the
terminal is drawn as SVG. The photographs are those of elpv-dataset, CC BY-NC-SA 4.0: say so beside the pictures.
"""

import argparse
import asyncio
import io
import re
import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from PIL import Image, ImageChops
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from benchmarks.browser import MISSING, Browser, chromium
from doubleread.cli.chat_orders import take
from doubleread.cli.chat_room import Room
from doubleread.cli.chat_show import Screen
from doubleread.core.case import Case
from doubleread.evals.demo import telling
from doubleread.evals.runs.run_folder import read_rows
from doubleread.panel import Panel
from doubleread.render.preview import Preview
from doubleread.sessions.engine import Sessions
from doubleread.web.app import make_app
from doubleread.web.pages import PanelFacts
from doubleread.web.rules import Rules
from doubleread.web.serving import running

SAID, TYPED = ("who disagrees?", "show similar cases"), ("who disagrees?", "/similar 5")
CARDS, ENTRIES = "document.querySelectorAll('.dr-card').length", "document.querySelectorAll('.entry').length"
STILL = "document.getAnimations().every(one => one.playState === 'finished')"
THEME = TerminalTheme((22, 25, 29), (232, 234, 237), [(22, 25, 29), (230, 110, 90), (62, 199, 154), (240, 163, 94),
    (86, 180, 233), (204, 121, 167), (86, 180, 233), (232, 234, 237)], [(120, 128, 136)] * 8)  # fmt: skip
FRAME = """<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#16191d" x="-16" y="-14" width="100%" height="100%" rx="10"/>
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g>
</svg>"""
"""As rich draws a terminal, without a font that is fetched from elsewhere."""


class Still(Screen):
    """A screen on which nothing moves."""

    def busy(self) -> AbstractContextManager[None]:
        return nullcontext()


def main() -> None:
    """Writes session-light.png, session-dark.png, session-phone.png, chat.svg and verdict.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("runs/demo-solar-cells"), help="what `make demo` wrote")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent)
    asked = parser.parse_args()
    executable = chromium()
    if executable is None:
        parser.error(MISSING)
    with tempfile.TemporaryDirectory() as scratch, Panel.load(asked.demo / "panel") as panel:
        files = pictures(asked.demo, Path(scratch))
        browse(panel, files, Path(scratch), asked.out, executable)
        chat(panel, files[0], Path(scratch), asked.out / "chat.svg")
        verdict(panel, files[1], Path(scratch), asked.out / "verdict.png", executable)


def pictures(demo: Path, scratch: Path) -> list[Path]:
    """Three unseen cells: one looked at again, one that was plain, one that is referred; the first one last."""
    verdicts = [row.verdict for row in read_rows(demo / "run") if row.verdict is not None]
    cases: list[Case] = [verdict.case for verdict in telling(verdicts)[:3]]
    files = [scratch / case.source.rpartition("/")[2].replace("cell", "cell ") for case in cases]
    for case, file in zip(cases, files, strict=True):
        if case.path is not None:
            shutil.copyfile(case.path, file)
    return files


def browse(panel: Panel, files: list[Path], scratch: Path, out: Path, executable: str) -> None:
    """A session in the browser: light, dark, and on a phone."""
    sessions = Sessions(panel, scratch / "browser")
    app = make_app(sessions, PanelFacts.of(panel), Rules())
    with running(app) as base, Browser(executable) as browser:
        page = browser.page(1400, 960, density=1.5)
        page.open(base)
        page.choose("#files", *reversed(files))
        page.arrive("/s/")
        page.until(f"{CARDS} === {len(files)}")
        for text in SAID:
            before = page.run(ENTRIES)
            page.run(
                f"((line) => {{ line.value = '{text}'; line.form.requestSubmit(); }})(document.querySelector('#text'))"
            )
            page.until(f"{ENTRIES} >= {before + 2}")
        page.run(
            "fetch(location.pathname + '/rename', {method: 'POST', body: new URLSearchParams({title: 'Solar cells'})})"
        )
        page.open(base + page.run("location.pathname"))
        page.run(f"document.querySelector('[role=tab][title=\"{files[0].name}\"]').click()")
        page.until("[...document.images].every(i => i.loading === 'lazy' || (i.complete && i.naturalWidth > 0))")
        page.until(STILL)
        save(page.screenshot(), out / "session-light.png")
        page.scheme(dark=True)
        page.until(STILL)
        save(page.screenshot(), out / "session-dark.png")
        phone = browser.page(390, 844, density=2, phone=True)
        phone.open(base + page.run("location.pathname"))
        phone.run("window.scrollTo(0, 0)")
        phone.until(STILL)
        save(phone.screenshot(), out / "session-phone.png")
    asyncio.run(sessions.close())


def verdict(panel: Panel, file: Path, scratch: Path, out: Path, executable: str) -> None:
    """The card that ``doubleread diagnose`` shows in a terminal."""
    console = Console(width=84, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(panel.diagnose(file))
    drawn = scratch / "verdict.svg"
    drawn.write_text(console.export_svg(title=f"doubleread diagnose '{file.name}'", theme=THEME), encoding="utf-8")
    with Browser(executable) as browser:
        page = browser.page(1080, 760)
        page.open(drawn.as_uri())
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        held = io.BytesIO()
        shot.crop(ImageChops.difference(shot, Image.new("RGB", shot.size, "white")).getbbox()).save(held, "PNG")
        save(held.getvalue(), out)


def save(png: bytes, file: Path) -> None:
    """In 256 colours: a third of the size, and nobody sees it."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


def chat(panel: Panel, file: Path, scratch: Path, out: Path) -> None:
    """The same in a terminal."""
    console = Console(
        width=112, height=60, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    sessions = Sessions(panel, scratch / "terminal")
    room = Room(sessions, panel, Still(console, console, Preview("blocks")))
    console.print(Text(f"$ doubleread chat '{file.name}'", style="bold"))

    async def talk() -> None:
        await room.bring([file])
        for text in TYPED:
            console.print(Text.assemble((room.current_name, "bold"), f" > {text}"))
            await take(room, text)
        await sessions.close()

    asyncio.run(talk())
    svg = console.export_svg(title="", theme=THEME, code_format=FRAME, unique_id="chat")
    width, height = (float(side) for side in re.findall(r"[\d.]+", svg.partition(" xmlns")[0])[-2:])
    framed = svg.replace(f"0 0 {width} {height}", f"-16 -14 {width + 32:g} {height + 28:g}", 1)
    out.write_text("\n".join(line.rstrip() for line in framed.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
