"""A session as a page that needs nothing else: cards and thumbnails are in it, nothing is fetched."""

from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from doubleread.core.verdict import Verdict
from doubleread.render.html import style_sheet, verdict_html
from doubleread.render.thumbnail import case_thumbnail, thumbnail
from doubleread.sessions.export.entries import ExportEntry
from doubleread.sessions.export.map_images import maps_picture
from doubleread.sessions.record import SessionInfo


def page(info: SessionInfo, told: Iterable[ExportEntry], folder: str, note: str) -> str:
    """The document; its pictures lead to those in ``folder``, seen from it, and ``note`` says what they are."""
    style = Markup(style_sheet())  # noqa: S704 - our own
    return _template().render(info=info, told=list(told), folder=folder, note=note, style=style)


def _card(verdict: Verdict) -> Markup:
    return Markup(verdict_html(verdict, styled=False))  # noqa: S704 - the card escapes what it shows


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("doubleread.sessions.export", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["card"] = _card
    environment.filters["stored"] = lambda case: case_thumbnail(case.path, case.case_id, side=320)
    environment.filters["thumbnail"] = lambda path: thumbnail(path, side=320)
    environment.filters["maps"] = maps_picture
    environment.filters["kind"] = lambda what: "Verdict" if isinstance(what, Verdict) else type(what).__name__
    return environment.get_template("page.html")
