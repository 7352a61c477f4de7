"""What was found in an archive, as one page that needs nothing else. Everything is escaped; nothing is fetched."""

from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from doubleread.rag.case_search import Found
from doubleread.render.html import environment, style_sheet
from doubleread.render.thumbnail import case_thumbnail, thumbnail

_SIDE = 360
"""Pixels of a picture's longer side: sharp where two of them make one of the page's."""


def found_page(found: Found, line: str, *, picture: Path | None = None, each: bool = False) -> str:
    """The cases with their pictures, where those can still be opened; ``line`` says what was searched.

    ``picture``: the file that was looked for, where it was a picture. ``each``: label by label.
    """
    shown = [
        (one, Path(one.source).name or one.case_id[:12], case_thumbnail(one.path, one.case_id, side=_SIDE))
        for one in found.neighbours
    ]
    parts = (
        [(label, list(part)) for label, part in groupby(shown, lambda item: item[0].label)] if each else [("", shown)]
    )
    return (
        environment()
        .get_template("found.html")
        .render(
            found=found,
            line=line,
            title=f"Cases like {Path(found.query).name}" if picture is not None else f"Cases like “{found.query}”",
            picture=thumbnail(picture, side=_SIDE),
            parts=parts,
            style=Markup(style_sheet()),  # noqa: S704 - our own file
        )
    )
