"""``doubleread models``: show, forget."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from doubleread.cli import options
from doubleread.cli.screen import OUT

app = typer.Typer(no_args_is_help=True, help="What was learned about the servers of models.")
LEFT_OUT = {
    "json_schema": "the schema of the answer",
    "json_object": "JSON mode",
    "temperature": "the temperature",
    "max_tokens": "the limit of tokens as max_tokens; it is sent as max_completion_tokens",
    "max_completion_tokens": "the limit of tokens as max_completion_tokens; it is sent as max_tokens",
    "chat_completions": "chat completions; it is asked by the Responses API",
    "decisions": "questions to /decisions; they go to /systemone",
    "system": "the system message; its text is sent with the question",
}


@app.command(epilog="Example: doubleread models show")
def show(settings: options.SettingsFile = None) -> None:
    """Show which fields each server and model is not sent any more, because it refused or ignored them."""
    from doubleread.agents.wire.answers import AnswerCache
    from doubleread.panel.models import answer_file

    cache = AnswerCache(answer_file(options.settings_of(settings)))
    learned = cache.lessons.all()
    cache.close()
    if not learned:
        OUT.print("Nothing was learned: every server is sent every field.")
        return
    shown = Table("server", "model", "is not sent", "learned", box=None, header_style="dim")
    for one in learned:
        day = datetime.fromtimestamp(one.at, UTC).astimezone().strftime("%Y-%m-%d")
        what = LEFT_OUT.get(one.feature, one.feature)
        shown.add_row(escape(one.server), escape(one.model), what, day)
    OUT.print(shown)
    OUT.print("\nEach is forgotten after a week. Forget now: doubleread models forget", style="dim")


@app.command(epilog="Example: doubleread models forget http://localhost:11434/v1")
def forget(
    name: Annotated[str, typer.Argument(help="A server's address or a model's name; without it, all.")] = "",
    settings: options.SettingsFile = None,
) -> None:
    """Forget what was learned, for example after a server was updated: it is sent every field again."""
    from doubleread.agents.wire.answers import AnswerCache
    from doubleread.panel.models import answer_file

    cache = AnswerCache(answer_file(options.settings_of(settings)))
    dropped = cache.lessons.forget(name)
    cache.close()
    if name and not dropped:
        OUT.print(f"Nothing was learned about {escape(name)}. See doubleread models show", highlight=False)
        return
    OUT.print(f"Forgot {len(dropped)} {'entry' if len(dropped) == 1 else 'entries'}.", highlight=False)
