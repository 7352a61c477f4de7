"""Who answers in a session: the words alone, or a language model of the settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from doubleread.core.errors import UnknownPart
from doubleread.panel.composition import library
from doubleread.sessions.standing import Talk
from doubleread.sessions.talk import answer
from doubleread.settings import Settings


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
    from doubleread.sessions.conversation import PROMPT, Conversation  # noqa: PLC0415 - the same

    prompt, wire = library(settings).get(PROMPT), open_wire(settings)
    try:
        yield Conversation(settings.talk[name], wire, prompt)
    finally:
        wire.close()
