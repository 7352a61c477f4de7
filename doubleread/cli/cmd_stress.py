"""``doubleread stress``."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.announcements import announce_reading
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import OUT, note, progress, tell, tell_json, words_line

if TYPE_CHECKING:
    from doubleread.evals.stress import Condition, StressTest
    from doubleread.settings import Settings

app = typer.Typer()


@app.command(
    epilog="Example: doubleread stress panel photos/ --corruptions noise,blur,greyscale --severities 1-5. Families: "
    "noise, blur, weather, digital, colour, scene."
)
@grouped
def stress(
    panel: options.PanelArgument,
    data: Annotated[
        str,
        typer.Argument(metavar="IMAGES", help="Labelled images, as for `fit`; if they have splits, the test split."),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the results.", show_default="runs/TIME-NAME")
    ] = None,
    corruptions: Annotated[str, typer.Option(help="Names or families, separated by commas.", show_default="all")] = "",
    severities: Annotated[str, typer.Option(help="1 (slight) to 5 (severe), such as 1,3,5 or 1-5.")] = "1,3,5",
    limit: Annotated[int, typer.Option(min=1, help="Number of images, taken evenly from the data.")] = 120,
    split: Annotated[str | None, typer.Option(help="Split to use; `all` for all images.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of the table.")] = False,
    columns: DataColumns,
    settings: options.SettingsFile = None,
    allow_from_panel: options.AllowFromPanel = False,
) -> None:
    """Test a panel on corrupted images: noise, blur, weather, other light. Writes stress.html.

    Reports how often it is right, commits to a wrong label, refers, and recognises an unfamiliar image.
    """
    from doubleread.evals.stress import stress_panel
    from doubleread.evals.stress.corruptions import chosen
    from doubleread.evals.stress.corruptions import severities as severities_of
    from doubleread.panel import Panel

    names, levels = [one.strip() for one in corruptions.split(",") if one.strip()], severities_of(severities)
    chosen(names)
    dataset = columns.labelled(data)
    announce_reading(dataset)
    folder = out or _place(dataset.name)
    with (
        tempfile.TemporaryDirectory(prefix="doubleread-stress-") as encodings,
        Panel.load(
            panel, settings=_passing(options.settings_of(settings), encodings), allow_from_panel=allow_from_panel
        ) as loaded,
        progress() as report,
    ):
        found = stress_panel(
            loaded,
            dataset,
            corruptions=names,
            severities=levels,
            split=split,
            limit=limit,
            out=folder,
            progress=report,
        )
    for line in found.notes[len(dataset.notes) :]:
        note(line)
    if json:
        tell_json(found.model_dump_json(indent=1))
    else:
        _show(found)
    (note if json else tell)(str(folder / "stress.html"))


def _passing(settings: "Settings", folder: str) -> "Settings":
    """Returns settings that cache encodings in a temporary folder: corrupted images do not recur."""
    return settings.model_copy(update={"encoder": settings.encoder.model_copy(update={"cache_dir": folder})})


def _place(name: str) -> Path:
    from datetime import UTC, datetime

    from doubleread.evals.runs.evaluate import place_of

    return place_of(datetime.now(UTC), f"{name}-stress")


def _show(found: "StressTest") -> None:
    for place, line in enumerate(found.verdict):
        OUT.print(Text(line, "" if place else "bold"))
    OUT.print()
    table = _table(found)
    OUT.print(table)
    words_line((*found.verdict, *(str(column.header) for column in table.columns)))


def _table(found: "StressTest") -> Table:
    from doubleread.cli.tables import titled_table

    title = f"Per cent of {found.n} images in {found.groups} groups; wrong: of the committed (95 % interval)"
    shown = titled_table(title, gap=0)
    for words in ("", "sev.", "right", "log-loss", "in set", "wrong", "of", "referred", "unfamiliar"):
        shown.add_column(words, justify="right" if words else "left", no_wrap=True)
    shown.add_row(*_row(found, found.clean))
    for each in (found.overall, *(tuple(found.of(kind.name)) for kind in found.corruptions)):
        for place, one in enumerate(each):
            shown.add_row(*_row(found, one, named=not place))
    return shown


def _row(found: "StressTest", one: "Condition", *, named: bool = True) -> list[str]:
    from doubleread.evals.stress.stress_page import shown
    from doubleread.evals.stress.stress_wording import breaks

    def value(figure: str) -> str:
        e = one.figures.get(figure)
        return "–" if e is None else f"{e.value:.2f}" if figure == "nll" else f"{100 * e.value:.0f}"

    risk, committed = shown(one, "risk"), one.figures.get("risk")
    return [
        escape(one.corruption) if named else "",
        str(one.severity) if one.severity else "",
        *map(value, ("accuracy", "nll", "coverage")),
        f"[dark_orange]! {risk}[/]" if breaks(one, found.promise) else risk,
        str(committed.n) if committed else "0",
        *map(value, ("referred", "alarm")),
    ]
