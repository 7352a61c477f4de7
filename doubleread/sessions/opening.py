"""Opens a panel's sessions according to its settings: storage, conversation model and reviewer."""

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
    """Opens a panel's sessions while the block lasts; the model of ``[talk.NAME]`` answers in them, if named.

    Raises ``UnknownPart`` for a name without a table, and ``SessionError`` if they cannot be opened.
    """
    with open_talk(panel.settings, talk) as answering:
        sessions = Sessions(panel, folder_of(panel), answering, panel.settings.sessions.database)
        try:
            yield sessions
        finally:
            asyncio.run(sessions.close())


def folder_of(panel: Panel) -> Path:
    """Returns the folder of the settings; by default one in the user's data, shared by panels of the same kind."""
    named = panel.settings.sessions.folder
    if named:
        return Path(named).expanduser()
    digest = hashlib.sha256(kind_of(panel).encode()).hexdigest()[:16]
    return platformdirs.user_data_path("doubleread") / "sessions" / digest


@contextmanager
def open_talk(settings: Settings, name: str = "") -> Iterator[Talk]:
    """Opens the model of the table ``[talk.NAME]``; without a name, answers need no model.

    It has a budget of its own, as large as that of the settings. Raises ``UnknownPart`` for a name without a table.
    """
    if not name:
        yield answer
        return
    if name not in settings.talk:
        raise UnknownPart("model to talk with", name, settings.talk)
    from doubleread.panel.models import open_wire  # noqa: PLC0415 - loads openai, which not every talk needs
    from doubleread.sessions._conversation import PROMPT, Conversation  # noqa: PLC0415 - the same

    prompt, wire = library(settings).get(PROMPT), open_wire(settings)
    try:
        yield Conversation(settings.talk[name], wire, prompt)
    finally:
        wire.close()


def whoever_is_here(settings: Settings) -> str:
    """Returns the reviewer of the settings; by default the user of this machine, if known."""
    if settings.sessions.reviewer:
        return person(settings.sessions.reviewer)
    try:
        return person(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return ""
