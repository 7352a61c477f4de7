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

    Exit code 1 if something leaks, or one picture carries several labels.
    """
    from doubleread.evals.cases_check import to_check

    seen, tests = _read(data, columns), _read(against, columns) if against else None
    cases = to_check(seen.cases, tests.cases if tests else None)
    left_out = (*seen.contradicting, *(tests.contradicting if tests else ()))
    found = run_check(cases, options.settings_of(settings, encoder), left_out)
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


def run_check(cases: "tuple[Case, ...]", settings: "Settings", contradicting: "tuple[Case, ...]" = ()) -> "CasesCheck":
    """Reads every picture and checks for leakage; unreadable pictures are named and left out.

    ``contradicting``: cases that were left out on reading, since their picture has several labels.
    """
    from doubleread.evals.cases_check import check_cases
    from doubleread.panel.composition import open_eyes
    from doubleread.rag.near_copies.copy_finder import PictureSet, look_at, measure_rule
    from doubleread.rag.near_copies.near_duplicates import find_near_duplicates

    with closing(open_eyes(settings)) as eyes:
        with progress() as report:
            seen = eyes.embedder.embed_all(cases, progress=partial(report, "encoding"))
            kept = tuple(cases[i] for i in seen.kept)
            hashes = look_at(kept, eyes.images, partial(report, "hashing")).hashes
            pictures = PictureSet(kept, seen.embeddings[:, 0], hashes)
            rule = measure_rule(pictures, eyes.encoder, eyes.images, partial(report, "measuring similarity of copies"))
        warn_user(f"skipped {row.source}: {row.problem}" for row in seen.unread)
        return check_cases(pictures, find_near_duplicates(pictures.embeddings, pictures.hashes, rule), contradicting)


def _show(found: "CasesCheck") -> None:
    for line in found.leakage.lines():
        style = _style(line)
        OUT.print(f"[{style[1]}]{style[0]}[/] {escape(line)}", highlight=False, soft_wrap=True)
    OUT.print()
    OUT.print(_accuracy(found.effect))
    for line in found.effect.lines():
        say(line)
    note(
        f"near copies: hashes up to 4 of 64 bits apart and a cosine of at least {found.rule.same_hash:.3f}, "
        f"or up to 12 bits and {found.rule.like_hash:.3f}"
    )


def _style(line: str) -> tuple[str, str]:
    if line.startswith("  "):
        return " ", "dim"
    if "unknown" in line:
        return "?", "dark_orange"
    return ("✓", "green") if line.startswith("no ") else ("✗", "red")


def _accuracy(effect: "LeakEffect") -> Table:
    title = f"Accuracy of the {effect.k} nearest cases, {effect.n:,} test cases against {effect.seen:,}"
    table = Table(title=title, title_justify="left", header_style="dim", box=SIMPLE_HEAD, show_edge=False)
    table.add_column("they may see", no_wrap=True)
    table.add_column("accuracy %", justify="right", no_wrap=True)
    table.add_row("everything", f"{effect.everything * 100:.1f}")
    table.add_row("no leaked cases", f"{effect.without_leaks * 100:.1f}")
    spread = f"{effect.control * 100:.1f} ± {effect.control_spread * 100:.1f}"
    table.add_row(f"as many random ones fewer ({effect.seeds} draws)", spread)
    return table
