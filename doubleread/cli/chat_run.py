"""Opens a panel's sessions and reads input from a prompt or a pipe."""

import asyncio
import io
import shlex
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

import typer

from doubleread.cli.chat_orders import take
from doubleread.cli.chat_prompt import ChatPrompt
from doubleread.cli.chat_room import Room
from doubleread.cli.chat_show import JsonLines, Screen, Show
from doubleread.cli.screen import ERR, OUT, note
from doubleread.cli.terminal_pictures import preview_of
from doubleread.panel import Panel
from doubleread.sessions.opening import open_sessions, whoever_is_here
from doubleread.sessions.record import person
from doubleread.settings import Settings

FAILED = 2


@dataclass(frozen=True)
class Wish:
    """The options of the command line."""

    images: tuple[Path, ...] = ()
    session: str | None = None
    listed: bool = False
    waiting: bool = False
    talk: str = ""
    """The model that holds the conversation; "" for none."""
    reviewer: str | None = None
    """The name recorded with decisions; None takes it from the settings."""


def run_chat(panel_folder: Path, settings: Settings, wish: Wish, *, as_json: bool, allow: bool = False) -> None:
    """Runs until the user leaves or the pipe ends."""
    at_prompt = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    show: Show = JsonLines() if as_json else _screen(settings, at_prompt=at_prompt)
    with (
        Panel.load(panel_folder, settings=settings, allow_from_panel=allow) as panel,
        open_sessions(panel, wish.talk) as sessions,
    ):
        if wish.listed:
            show.sessions(asyncio.run(sessions.listed()))
            return
        room = Room(sessions, panel, show, _reviewer(wish, panel.settings))
        if not at_prompt:
            _through_pipe(room, wish)
            return
        try:
            talk_at_prompt(room, ChatPrompt(room), wish)
        finally:
            _say_how_to_come_back(room, panel_folder)


def _screen(settings: Settings, *, at_prompt: bool) -> Screen:
    return Screen(OUT, OUT if at_prompt else ERR, preview_of(OUT, settings.sessions.preview))


def talk_at_prompt(room: Room, prompt: ChatPrompt, wish: Wish) -> None:
    """Handles input line by line. Ctrl-C cancels the running readings and keeps the session."""
    _do(room, _enter(room, wish))
    while (text := prompt.line()) is not None:
        if not _do(room, take(room, text)):
            return


def _through_pipe(room: Room, wish: Wish) -> None:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    asyncio.run(_enter(room, wish))
    for line in sys.stdin:
        if not asyncio.run(take(room, line)):
            break
    if room.failed:
        raise typer.Exit(FAILED)


def _do(room: Room, work: Coroutine[None, None, bool]) -> bool:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        asyncio.run(room.stop())
        return True


async def _enter(room: Room, wish: Wish) -> bool:
    if wish.session is not None:
        await room.resume(wish.session)
    if wish.waiting:
        await room.show_work()
    await room.bring(wish.images)
    return True


def _reviewer(wish: Wish, settings: Settings) -> str:
    return whoever_is_here(settings) if wish.reviewer is None else person(wish.reviewer)


def _say_how_to_come_back(room: Room, panel: Path) -> None:
    if room.id is not None:
        where = "" if panel == Path("panel") else f" --panel {shlex.quote(str(panel))}"
        note(f"to resume: doubleread chat --session {room.id}{where}")
