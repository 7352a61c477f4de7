"""``doubleread diagnose``."""

from pathlib import Path

import typer
from rich.markup import escape

from doubleread.cli.screen import ERR, OUT, warn
from doubleread.cli.tables import spending_table
from doubleread.core.harmless import harmless
from doubleread.core.verdict import Unread
from doubleread.panel import Panel
from doubleread.settings import Settings


def run_diagnose(images: list[str], panel_folder: Path, *, as_json: bool, explained: bool, settings: Settings) -> None:
    """A card (or a JSON line) for each image; images that cannot be read are reported and the rest goes on."""
    failed = False
    with Panel.load(panel_folder, settings=settings) as panel:
        if panel.encoder_is_fallback and not as_json:
            warn(panel.encoder_note)
        for result in panel.diagnose_many(images):
            failed |= isinstance(result, Unread)
            if as_json:
                typer.echo(result.model_dump_json())
            elif isinstance(result, Unread):
                ERR.print(f"[red]✗[/red] {escape(harmless(f'{result.source}: {result.problem}'))}", highlight=False)
            else:
                OUT.print(result)
                for line in panel.explain(result).lines if explained else ():
                    OUT.print(f"· {harmless(line)}", markup=False, highlight=False)
        if panel.spent and not as_json:
            ERR.print(spending_table(panel.spent))
    if failed:
        raise typer.Exit(1)
