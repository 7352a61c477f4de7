"""``doubleread cases map``: draws the archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doubleread.cli.cases_shared import SHOWN, opened
from doubleread.cli.options import Archive
from doubleread.cli.screen import note, say
from doubleread.core.durable import write_text
from doubleread.core.errors import StoreError

if TYPE_CHECKING:
    from doubleread.rag.stores.archive import Archive as CaseArchive

app = typer.Typer()

MOST = 3000
"""Maximum number of cases on a map: more would hide one another and take minutes to place."""
SUFFIXES = (".html", ".svg")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{margin:0;padding:16px;background:#f3f4f6}}
@media (prefers-color-scheme:dark){{body{{background:#0d0f12}}}}
svg{{display:block;margin:0 auto}}</style></head>
<body>
{drawing}</body></html>
"""


@app.command("map", epilog="Example: doubleread cases map archive -o map.html")
def draw_map(
    archive: Archive,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: .html or .svg.")] = Path("map.html"),
) -> None:
    """Draw a map of the archive: similar cases are close together, coloured by label."""
    from doubleread.evals.drawings.svg import clean

    if out.suffix.lower() not in SUFFIXES:
        raise StoreError(f"{out} is neither .html nor .svg: name the file so")
    with opened(archive) as store:
        if not store.count():
            raise StoreError(f"the archive {archive} holds no cases: add some to draw a map of")
        note(f"placing {min(store.count(), MOST):,} cases: this can take a minute")
        title = f"What looks alike in {store.folder.name}"
        drawing = _drawn(store, title)
    page = drawing if out.suffix.lower() == ".svg" else _PAGE.format(title=clean(title), drawing=drawing)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, page)
    say(f"map: {out}")


def _drawn(store: "CaseArchive", title: str) -> str:
    from doubleread.evals.drawings import MapPoint, archive_map
    from doubleread.rag.care.statistics import drawn_at_random, layout

    contents = store.contents()
    chosen = drawn_at_random(len(contents), MOST)
    places = layout(contents.embeddings[chosen])
    points = [
        MapPoint(x, y, row.label, " · ".join(filter(None, (row.label, row.source, row.group, row.id[:SHOWN]))))
        for (x, y), row in zip(places.tolist(), (contents.rows[i] for i in chosen), strict=True)
    ]
    n = len(contents)
    some = f"{n:,} cases" if len(chosen) == n else f"{len(chosen):,} of {n:,} cases, drawn at random"
    caption = f"{some} · {store.version()} · near means alike to {store.fingerprint}; far apart means little (t-SNE)"
    return archive_map(points, title=title, caption=caption)
