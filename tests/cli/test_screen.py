"""Whatever a command prints, the terminal is not steered, and no letter is lost."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from doubleread.cli.screen import ERR, OUT, Harmless


@pytest.mark.parametrize("console", [OUT, ERR])
def test_the_consoles_of_the_commands_are_harmless(console):
    with console.capture() as printed:
        console.print("\x1b[2Jgone", markup=False, highlight=False)
    assert printed.get() == "[2Jgone\n"


def test_what_is_laid_out_already_loses_only_what_steers():
    out = Console(file=io.StringIO(), width=40, force_terminal=True, color_system="standard")
    out.push_render_hook(Harmless())
    table = Table("label")
    table.add_row("\x1b[2Jrust\x9b31m\u202e \u00a0x")
    out.print("one\x1b[2J " * 7, table, "[red]red[/red]", highlight=False)
    text = out.file.getvalue()
    assert "\x1b[2J" not in text
    assert not {"\x9b", "\u202e"} & set(text)
    assert text.count("one[2J") == 7
    assert "[2Jrust31m \u00a0x" in text
    assert "\x1b[31mred\x1b[0m" in text
