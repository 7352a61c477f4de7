"""``doubleread chat``: inspection sessions in the terminal, or line by line through a pipe."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from doubleread.cli.image_arguments import chat_images
from doubleread.cli.options import AllowFromPanel

app = typer.Typer()

Preview = Literal["auto", "kitty", "sixel", "blocks", "none"]


@app.command(epilog='Example: doubleread chat leaf.jpg, or: echo "why?" | doubleread chat leaf.jpg')
def chat(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE…", help="Images to add and read: files, folders or patterns.")
    ] = None,
    panel: Annotated[Path, typer.Option(help="Folder of a fitted panel.")] = Path("panel"),
    session: Annotated[str | None, typer.Option(metavar="ID", help="Resume this session; see --list.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the sessions, the latest first.")] = False,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="List the images that wait for a person, and open the first.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Events as JSON lines; questions are read from stdin.")] = False,
    talk: Annotated[
        str, typer.Option(metavar="NAME", help="Model of the \\[talk.NAME] table that holds the conversation.")
    ] = "",
    reviewer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name recorded with decisions; by default that of the settings, or of this user."
        ),
    ] = None,
    preview: Annotated[
        Preview | None, typer.Option(help="How images are shown; auto: the best format of this terminal.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="Settings file; see `doubleread settings`.")
    ] = None,
    allow_from_panel: AllowFromPanel = False,
) -> None:
    """Inspect images in a chat: verdicts, reasons, what-if questions, decisions.

    Exit code 2 if something could not be read, understood or done.
    """
    from doubleread.cli.chat_run import Wish, run_chat
    from doubleread.cli.options import settings_of

    wish = Wish(tuple(chat_images(images or ())), session, listed=listed, waiting=waiting, talk=talk, reviewer=reviewer)
    run_chat(panel, settings_of(settings, preview=preview), wish, as_json=json, allow=allow_from_panel)
