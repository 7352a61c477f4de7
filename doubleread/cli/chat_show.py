"""How what happens in a session is shown: drawn for people, or as it is for programs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

import typer
from rich.console import Console, Group, RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

from doubleread.cli.cases_shared import table
from doubleread.cli.chat_blocks import reply_blocks
from doubleread.cli.chat_events import happened, tame
from doubleread.cli.screen import tell_json
from doubleread.core.terminal_text import harmless
from doubleread.core.verdict import LEANINGS, Verdict
from doubleread.render.preview import Preview
from doubleread.render.terminal import verdict_card
from doubleread.sessions.record import Event, Reply, SessionInfo, Waiting

PREVIEW, BESIDE = 26, 110
"""Columns of a preview, and of a screen that has room for a card beside it."""


class Show(Protocol):
    """Where it is shown."""

    def event(self, event: Event, picture: Path | None) -> None:
        """Something happened, to the image that lies there."""

    def reply(self, reply: Reply) -> None:
        """Something that is told, and no part of the session."""

    def sessions(self, infos: Sequence[SessionInfo]) -> None:
        """A list of sessions."""

    def work(self, waiting: Sequence[Waiting]) -> None:
        """The work list."""

    def hint(self, text: str) -> None:
        """Something useful to know."""

    def problem(self, text: str) -> None:
        """Something that could not be done."""

    def busy(self) -> AbstractContextManager[None]:
        """Something goes on."""


class JsonLines:
    """Events, sessions and waiting readings, a JSON object a line."""

    def event(self, event: Event, picture: Path | None) -> None:  # noqa: ARG002 - as others show it
        data = {key: value for key, value in event.data.items() if event.kind != "verdict" or key not in LEANINGS}
        tell_json(event.model_copy(update={"data": data}).model_dump_json())

    def reply(self, reply: Reply) -> None:
        """Only events are told."""

    def sessions(self, infos: Sequence[SessionInfo]) -> None:
        for one in infos:
            tell_json(one.model_dump_json())

    def work(self, waiting: Sequence[Waiting]) -> None:
        for one in waiting:
            tell_json(one.model_dump_json())

    def hint(self, text: str) -> None:
        """Only events are told."""

    def problem(self, text: str) -> None:
        typer.echo(f"error: {harmless(text)}", file=sys.stderr)

    def busy(self) -> AbstractContextManager[None]:
        return nullcontext[None]()


class Screen:
    """Cards and replies go to ``results``, what happens on the way to ``progress``; at a prompt both are the same."""

    def __init__(self, results: Console, progress: Console, preview: Preview) -> None:
        self._results, self._progress, self._preview = results, progress, preview
        self._status: Status | None = None

    def event(self, event: Event, picture: Path | None) -> None:
        event = tame(event)
        match event.kind:
            case "verdict":
                self._results.print(self._card(Verdict.model_validate(event.data), picture))
            case "reply":
                self.reply(Reply.model_validate(event.data))
            case "decided" | "undone":
                self._results.print(happened(event))
            case "said" if self._results is self._progress:
                pass
            case _:
                self._progress.print(happened(event))
        if self._status is not None and event.kind == "asked":
            self._status.update(f"{len(event.data['agents'])} agents look at it…")

    def reply(self, reply: Reply) -> None:
        self._results.print()
        for block in reply_blocks(reply, self._results, self._preview):
            self._results.print(block)

    def sessions(self, infos: Sequence[SessionInfo]) -> None:
        self._results.print(_sessions(infos) if infos else Text("no sessions yet: doubleread chat IMAGE"))

    def work(self, waiting: Sequence[Waiting]) -> None:
        self._results.print(_work(waiting) if waiting else Text("nothing waits for a decision"))

    def hint(self, text: str) -> None:
        self._progress.print(Text(f"· {harmless(text)}", style="dim"))

    def problem(self, text: str) -> None:
        self._progress.print(Text.assemble(("✗ ", "red"), harmless(text)))

    def busy(self) -> AbstractContextManager[None]:
        at_prompt = self._results is self._progress and self._results.is_terminal
        return self._spinning() if at_prompt else nullcontext[None]()

    @contextmanager
    def _spinning(self) -> Iterator[None]:
        with self._results.status("…") as self._status:
            yield
        self._status = None

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


def _sessions(infos: Sequence[SessionInfo]) -> Table:
    made = table("session", "title", "images", "waiting", "changed", right=("images", "waiting"))
    for one in infos:
        changed = f"{one.changed.astimezone():%Y-%m-%d %H:%M}"
        made.add_row(one.id, Text(harmless(one.title)), str(one.images), str(one.waiting or ""), changed)
    return made


def _work(waiting: Sequence[Waiting]) -> Table:
    made = table("image", "looks most like", "why", "since", "session")
    for one in waiting:
        since = f"{one.since.astimezone():%m-%d %H:%M}"
        why = Text(harmless("; ".join(one.reasons)))
        made.add_row(Text(harmless(one.name)), Text(harmless(one.leaning or "–")), why, since, one.session)
    return made
