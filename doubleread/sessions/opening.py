"""Opens the sessions of a panel as its settings say: where they lie, who answers in them, and who decides."""

import asyncio
import getpass
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from doubleread.core.errors import UnknownPart
from doubleread.panel import Panel
from doubleread.panel.composition import library
from doubleread.sessions._desk import kind_of
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import person
from doubleread.sessions.standing import Talk
from doubleread.sessions.talk import answer
from doubleread.settings import Settings


@contextmanager
def open_sessions(panel: Panel, talk: str = "") -> Iterator[Sessions]:
    """The sessions of a panel while the block lasts, in which the model of ``[talk.NAME]`` answers, or none.

    Raises ``UnknownPart`` for a name without a table, and ``SessionError`` where they cannot be opened.
    """
    with open_talk(panel.settings, talk) as answering:
        sessions = Sessions(panel, folder_of(panel), answering, panel.settings.sessions.database)
        try:
            yield sessions
        finally:
            asyncio.run(sessions.close())


def folder_of(panel: Panel) -> Path:
    """The folder of the settings; without, one in the user's data that belongs to panels like this one."""
    named = panel.settings.sessions.folder
    if named:
        return Path(named).expanduser()
    digest = hashlib.sha256(kind_of(panel).encode()).hexdigest()[:16]
    return platformdirs.user_data_path("doubleread") / "sessions" / digest


@contextmanager
def open_talk(settings: Settings, name: str = "") -> Iterator[Talk]:
    """The model of the table ``[talk.NAME]``; without a name, what needs none.

    It has a budget of its own, as large as that of the settings. Raises ``UnknownPart`` for a name without a table.
    """
    if not name:
        yield answer
        return
    if name not in settings.talk:
        raise UnknownPart("model to talk with", name, settings.talk)
    from doubleread.panel.models import open_wire  # noqa: PLC0415 - loads openai, which talk without a model does without
    from doubleread.sessions._conversation import PROMPT, Conversation  # noqa: PLC0415 - the same

    prompt, wire = library(settings).get(PROMPT), open_wire(settings)
    try:
        yield Conversation(settings.talk[name], wire, prompt)
    finally:
        wire.close()


def whoever_is_here(settings: Settings) -> str:
    """The name of the settings; without one, that of the user of this machine, where it is known."""
    if settings.sessions.reviewer:
        return person(settings.sessions.reviewer)
    try:
        return person(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return ""
