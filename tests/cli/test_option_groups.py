from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from typer.testing import CliRunner

from doubleread.cli.option_groups import CaseFilters, DataColumns, grouped
from doubleread.core.stored import Wanted

app = typer.Typer()
asked = []


@dataclass(frozen=True)
class Shared:
    label: Annotated[str, typer.Option(help="A label.")] = "rust"
    tag: Annotated[list[str] | None, typer.Option("--with-tag")] = None


@app.command()
@grouped
def command(folder: Path, *, first: int = 1, shared: Shared, last: bool = False) -> None:
    """What it does."""
    asked.append((folder, first, shared, last))


def test_the_options_of_a_group_stand_in_its_place_and_come_as_one_object():
    ended = CliRunner().invoke(app, ["here", "--label", "scab", "--with-tag", "a", "--with-tag", "b", "--last"])
    assert ended.exit_code == 0
    assert asked.pop() == (Path("here"), 1, Shared("scab", ["a", "b"]), True)
    names = [one.name for one in typer.main.get_command(app).params]
    assert names[:5] == ["folder", "first", "label", "tag", "last"]


def test_a_group_that_nobody_names_has_its_defaults():
    assert CliRunner().invoke(app, ["here"]).exit_code == 0
    assert asked.pop()[2] == Shared()
    assert "What it does." in CliRunner().invoke(app, ["--help"]).output


def test_filters_ask_for_sets_of_names():
    wanted = CaseFilters(label=["rust", "scab"], tag=["blurred"]).wanted()
    assert wanted == Wanted(labels=frozenset({"rust", "scab"}), tags=frozenset({"blurred"}))


def test_data_and_their_options_are_told_as_they_are_written():
    given = DataColumns(group="re:(.*)_", label_level=2, renamed=["Rust=rust"])
    assert given.as_written("my photos") == "'my photos' --group 're:(.*)_' --label-level 2 --map Rust=rust"
    assert DataColumns().as_written("photos") == "photos"
