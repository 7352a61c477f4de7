"""``doubleread prompts``: list, show, diff."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from doubleread.cli.screen import OUT, say

app = typer.Typer(no_args_is_help=True, help="List, show and compare prompts, built-in ones and your own.")

Folder = Annotated[Path | None, typer.Option("--folder", help="Folder of your own prompt files.")]


@app.command("list", epilog="Example: doubleread prompts list --folder my-prompts")
def show_list(folder: Folder = None) -> None:
    """List every prompt in every version."""
    from doubleread.prompts.library import Library

    shown = Table("prompt", "version", "hash", "variant of", "origin", "purpose", box=None, header_style="dim")
    for one in Library(folder).all():
        shown.add_row(one.id, str(one.version), one.sha256[:8], one.variant_of or "", one.origin, one.purpose)
    OUT.print(shown)


@app.command(epilog="Example: doubleread prompts show vlm-read")
def show(
    prompt: Annotated[str, typer.Argument(help="ID or ID@VERSION.")],
    folder: Folder = None,
) -> None:
    """Show one prompt, section by section."""
    from doubleread.prompts.library import Library

    found = Library(folder).get(prompt)
    OUT.print(f"[bold]{found.ref}[/bold]  {escape(found.origin)}\n{escape(found.purpose)}", highlight=False)
    for name, text in found.sections.items():
        OUT.print(f"\n[cyan]\\[{name}][/cyan]")
        say(text.strip())


@app.command(epilog="Example: doubleread prompts diff vlm-read vlm-read-brief")
def diff(
    one: Annotated[str, typer.Argument(help="ID or ID@VERSION.")],
    other: Annotated[
        str | None,
        typer.Argument(
            help="Prompt to compare with; by default, the built-in prompt is compared with yours in --folder."
        ),
    ] = None,
    folder: Folder = None,
) -> None:
    """Compare two prompts. Exit code 1 if they differ."""
    from difflib import unified_diff

    from doubleread.prompts.library import Library

    before = Library().get(one) if other is None else Library(folder).get(one)
    after = Library(folder).get(other or one)
    lines = list(unified_diff(_lines(before.sections), _lines(after.sections), before.ref, after.ref, lineterm=""))
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        say(line, styles.get(line[:1]))
    if lines:
        raise typer.Exit(1)
    OUT.print(f"{before.ref} and {after.ref} are the same", highlight=False)


def _lines(sections: dict[str, str]) -> list[str]:
    return [line for name, text in sections.items() for line in (f"[{name}]", *text.splitlines())]
