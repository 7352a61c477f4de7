"""Shows session events: drawn for people, or as JSON for programs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import typer
from rich.console import Console, Group, RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

from doubleread.cli.chat_blocks import reply_blocks
from doubleread.cli.chat_events import happened, tame
from doubleread.cli.screen import table, tell_json
from doubleread.core.glossary import words_in
from doubleread.core.terminal_text import harmless
from doubleread.core.verdict import LEANINGS, Verdict
from doubleread.core.verdict_wording import first_screen
from doubleread.render.preview import Preview
from doubleread.render.terminal_card import verdict_card
from doubleread.sessions.record import Event, Reply, SessionInfo, Waiting

PREVIEW, BESIDE = 26, 110
"""Columns of a preview, and the minimum screen width that puts a card beside it."""


class JsonLines:
    """Prints events, sessions and waiting readings as one JSON object per line."""

    def event(self, event: Event, picture: Path | None) -> None:  # noqa: ARG002 - same signature as Screen
        data = {key: value for key, value in event.data.items() if event.kind != "verdict" or key not in LEANINGS}
        tell_json(event.model_copy(update={"data": data}).model_dump_json())

    def reply(self, reply: Reply) -> None:
        """Prints nothing: only events are output."""

    def sessions(self, infos: Sequence[SessionInfo]) -> None:
        for one in infos:
            tell_json(one.model_dump_json())

    def work(self, waiting: Sequence[Waiting]) -> None:
        for one in waiting:
            tell_json(one.model_dump_json())

    def hint(self, text: str) -> None:
        """Prints nothing: only events are output."""

    def problem(self, text: str) -> None:
        typer.echo(f"error: {harmless(text)}", file=sys.stderr)

    def busy(self) -> AbstractContextManager[None]:
        return nullcontext[None]()


class Screen:
    """Prints cards and replies to ``results``, other events to ``progress``; at a prompt both are one console."""

    def __init__(self, results: Console, progress: Console, preview: Preview) -> None:
        self._results, self._progress, self._preview = results, progress, preview
        self._status: Status | None = None
        self._named = set[str]()

    def event(self, event: Event, picture: Path | None) -> None:
        """Shows an event; ``picture`` is the file of its image."""
        event = tame(event)
        match event.kind:
            case "verdict":
                self._results.print(self._card(event.what, picture))
                self._name_words(first_screen(event.what))
            case "reply":
                self.reply(event.what)
            case "decided" | "undone":
                self._results.print(happened(event.what))
            case "said" if self._results is self._progress:
                pass
            case _:
                self._progress.print(happened(event.what))
        if self._status is not None and event.kind == "asked":
            self._status.update(f"{len(event.data['agents'])} agents look at it…")

    def reply(self, reply: Reply) -> None:
        """Shows a reply that is not part of the session."""
        self._results.print()
        for block in reply_blocks(reply, self._results, self._preview):
            self._results.print(block)

    def sessions(self, infos: Sequence[SessionInfo]) -> None:
        """Shows a list of sessions."""
        self._results.print(_sessions(infos) if infos else Text("no sessions yet: doubleread chat IMAGE"))

    def work(self, waiting: Sequence[Waiting]) -> None:
        """Shows the work list."""
        self._results.print(_work(waiting) if waiting else Text("nothing waits for a decision"))

    def hint(self, text: str) -> None:
        """Shows a hint."""
        self._progress.print(Text(f"· {harmless(text)}", style="dim"))

    def problem(self, text: str) -> None:
        """Shows a problem."""
        self._progress.print(Text.assemble(("✗ ", "red"), harmless(text)))

    def busy(self) -> AbstractContextManager[None]:
        """Shows a spinner at a prompt while the block runs."""
        at_prompt = self._results is self._progress and self._results.is_terminal
        return self._spinning() if at_prompt else nullcontext[None]()

    @contextmanager
    def _spinning(self) -> Iterator[None]:
        with self._results.status("…") as self._status:
            yield
        self._status = None

    def _name_words(self, texts: Sequence[str]) -> None:
        """Names the glossary words of a card that were not on an earlier one."""
        new = [term.name for term in words_in(texts) if term.name not in self._named]
        self._named.update(new)
        if new:
            self._progress.print(Text(f"words: {', '.join(new)} (see: /glossary)", style="dim"))

    def _card(self, verdict: Verdict, picture: Path | None) -> RenderableType:
        card = verdict_card(verdict)
        preview = self._preview.file(picture, verdict.case.id, PREVIEW)
        if preview is None:
            return card
        if self._results.width < BESIDE:
            return Group(preview, card)
        beside = Table.grid(padding=(0, 1))
        beside.add_column(width=PREVIEW)
        beside.add_column(ratio=1)
        beside.add_row(preview, card)
        return beside


Show = Screen | JsonLines
"""Where session events are shown."""


def _sessions(infos: Sequence[SessionInfo]) -> Table:
    made = table("session", "title", "images", "waiting", "changed", right=("images", "waiting"))
    for one in infos:
        changed = f"{one.changed.astimezone():%Y-%m-%d %H:%M}"
        made.add_row(one.id, Text(harmless(one.title)), str(one.images), str(one.waiting or ""), changed)
    return made


def _work(waiting: Sequence[Waiting]) -> Table:
    made = table("image", "probably", "why", "since", "session")
    for one in waiting:
        since = f"{one.since.astimezone():%m-%d %H:%M}"
        why = Text(harmless("; ".join(one.reasons)))
        made.add_row(Text(harmless(one.name)), Text(harmless(one.leaning or "–")), why, since, one.session)
    return made
