"""``doubleread cases check``: leakage between the cases of a data set."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from doubleread.cli import options
from doubleread.cli.announcements import announce_reading
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import OUT, note, progress, say
from doubleread.core.durable import write_text
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doubleread.core.case import Case
    from doubleread.evals.cases_check import CasesCheck
    from doubleread.evals.datasets import Dataset
    from doubleread.evals.leakage_effect import LeakEffect
    from doubleread.settings import Settings

app = typer.Typer()


@app.command(epilog="Example: doubleread cases check leaves.csv --group plant -o leakage.json")
@grouped
def check(
    data: Annotated[str, typer.Argument(help="A data set, as for `fit`; with --against, the training data.")],
    *,
    against: Annotated[str | None, typer.Option(help="Test data; if they have splits, the test split.")] = None,
    columns: DataColumns,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Also write everything to this .json file.")] = None,
    settings: options.SettingsFile = None,
    encoder: options.Encoder = None,
) -> None:
    """Find copies, near copies, shared groups and contradicting labels, and their effect on accuracy.

    Near copies are re-encoded, resized, brightened, blurred, flipped, turned or slightly cropped. Exit code 1 if there
    are copies, a group is in several splits, or one picture carries several labels.
    """
    from doubleread.evals.cases_check import to_check

    seen, tests = _read(data, columns), _read(against, columns) if against else None
    cases = to_check(seen.cases, tests.cases if tests else None)
    read = [seen] if tests is None else [seen, tests]
    contradicting = [case for one in read for case in one.contradicting]
    repeated = [case for one in read for case in one.repeated]
    found = run_check(cases, options.settings_of(settings, encoder), contradicting, repeated)
    _show(found)
    if out is not None:
        write_text(out, found.model_dump_json(indent=1))
        say(str(out))
    if not found.leakage.clean:
        raise typer.Exit(1)


def _read(data: str, columns: DataColumns) -> "Dataset":
    dataset = columns.dataset(data)
    announce_reading(dataset)
    return dataset


def run_check(
    cases: "tuple[Case, ...]",
    settings: "Settings",
    contradicting: "Sequence[Case]" = (),
    repeated: "Sequence[Case]" = (),
) -> "CasesCheck":
    """Reads every picture and checks for leakage; unreadable pictures are named and left out.

    ``contradicting`` and ``repeated``: cases that were left out on reading, since their picture has several labels or
    is there already.
    """
    from doubleread.evals.cases_check import check_cases
    from doubleread.panel.composition import open_eyes
    from doubleread.rag.near_copies.copy_finder import PictureSet, find_near_duplicates, look_at
    from doubleread.rag.near_copies.near_duplicates import NearRule
    from doubleread.rag.near_copies.thumbnails import Thumbnails

    with closing(open_eyes(settings)) as eyes:
        with progress() as report:
            seen = eyes.embedder.embed_all(cases, progress=partial(report, "encoding"))
            kept = tuple(cases[i] for i in seen.kept)
            thumbnails = Thumbnails(eyes.images)
            looks = look_at(kept, eyes.images, partial(report, "hashing"), thumbnails)
            pictures = PictureSet(kept, seen.embeddings[:, 0], looks)
            near = find_near_duplicates(pictures, thumbnails, NearRule(), partial(report, "comparing pictures"))
        warn_user(f"skipped {row.source}: {row.problem}" for row in seen.unread)
        return check_cases(pictures, near, contradicting, repeated)


def _show(found: "CasesCheck") -> None:
    for line in found.leakage.lines():
        style = _style(line)
        OUT.print(f"[{style[1]}]{style[0]}[/] {escape(line)}", highlight=False, soft_wrap=True)
    if found.effect is not None:
        OUT.print()
        OUT.print(_accuracy(found.effect))
        for line in found.effect.lines():
            say(line)
    for line in found.notes:
        note(line)
    note(
        f"near copies: pictures whose details agree to at least {found.rule.agreement} (1 is identical) "
        "after one is flipped, turned or cropped to fit the other"
    )


def _style(line: str) -> tuple[str, str]:
    if line.startswith("  "):
        return " ", "dim"
    if line.startswith(("the data have no splits", "no groups given")) or "could not be checked" in line:
        return "?", "dark_orange"
    return ("✓", "green") if line.startswith("no ") else ("✗", "red")


def _accuracy(effect: "LeakEffect") -> Table:
    tests = "images, each" if effect.left_out else "test cases"
    title = f"Accuracy of the {effect.k} nearest cases, {effect.n:,} {tests} against {effect.seen:,}"
    table = Table(title=title, title_justify="left", header_style="dim", box=SIMPLE_HEAD, show_edge=False)
    table.add_column("they may see", no_wrap=True)
    table.add_column("accuracy %", justify="right", no_wrap=True)
    table.add_row("everything", f"{effect.everything * 100:.1f}")
    table.add_row("no leaked cases", f"{effect.without_leaks * 100:.1f}")
    spread = f"{effect.control * 100:.1f} ± {effect.control_spread * 100:.1f}"
    table.add_row(f"as many random ones fewer ({effect.seeds} draws)", spread)
    return table
