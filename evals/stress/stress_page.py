"""``stress.json``, ``stress.svg`` and ``stress.html``: one offline file with the curves and every figure."""

from pathlib import Path

from markupsafe import Markup

from doubleread.core.durable import write_text
from doubleread.evals.drawings import RobustnessCurve, RobustnessPlot, robustness_grid
from doubleread.evals.stress._stress_figures import FIGURES
from doubleread.evals.stress._stress_record import CLEAN, Condition, MeasuredFigure, StressTest
from doubleread.evals.stress.stress_wording import breaks
from doubleread.render.html import environment, style_sheet

SHOWN = {"accuracy": "accuracy", "risk": "wrong among committed", "referred": "referred", "alarm": "unfamiliar"}
"""The figures that are drawn, and their names there."""
TITLES = {"nll": "log-loss", "coverage": "true label in the set", **SHOWN}


def write(found: StressTest, folder: Path) -> Path:
    """Writes the three files into a folder, which may be there already; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    drawing = draw(found)
    write_text(folder / "stress.json", found.model_dump_json(indent=1) + "\n")
    write_text(folder / "stress.svg", drawing)
    page = folder / "stress.html"
    write_text(page, _page(found, drawing))
    return page


def draw(found: StressTest) -> str:
    """The curves of every corruption as SVG."""
    return robustness_grid(
        [_strained(found, one.name, one.about) for one in found.corruptions if any(found.of(one.name))],
        title=f"{found.name}: figures on corrupted images",
        about=f"% of images, by severity · n = {found.n} in {found.groups} groups · bars are 95 % intervals",
        promise=found.promise.risk,
        banded=SHOWN["risk"],
    )


def _strained(found: StressTest, name: str, about: str) -> RobustnessPlot:
    each = [found.clean, *found.of(name)]
    return RobustnessPlot(
        name, about, tuple(RobustnessCurve(words, tuple(_points(each, figure))) for figure, words in SHOWN.items())
    )


def _points(each: list[Condition], figure: str) -> list[tuple[int, MeasuredFigure]]:
    """Without shares of wrong answers where too few were committed."""
    measured = [(one.severity, one.risk if figure == "risk" else one.figures.get(figure)) for one in each]
    return [(severity, e) for severity, e in measured if e is not None]


def shown(one: Condition, figure: str) -> str:
    """A figure of a condition with its interval, ``97 (93–99)`` per cent; a dash where there is none."""
    e = one.figures.get(figure)
    if e is None:
        return "–"
    if not FIGURES[figure].share:
        return f"{e.value:.2f} ({e.low:.2f}–{e.high:.2f})"
    return f"{100 * e.value:.0f} ({100 * e.low:.0f}–{100 * e.high:.0f})"


def _page(found: StressTest, drawing: str) -> str:
    template = environment("doubleread.evals.stress").get_template("page.html")
    return template.render(
        found=found,
        figures=FIGURES,
        titles={name: TITLES.get(name, name) for name in FIGURES},
        shown=shown,
        breaks=breaks,
        clean=CLEAN,
        drawing=Markup(drawing),  # noqa: S704 - drawn by us, text escaped
        style=Markup(style_sheet()),  # noqa: S704 - our own file
        seen=set[str](),
    )
