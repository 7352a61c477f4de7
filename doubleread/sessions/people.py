"""Who decides: a name that goes on record, as the person gave it."""

import getpass

from doubleread.agents.wire.faults import printable
from doubleread.core.errors import SessionError
from doubleread.settings import Settings

MAX_NAME = 120


def person(name: str) -> str:
    """A name as it goes on record: one line of what can be shown; empty for nobody in particular.

    Raises ``SessionError`` for one that is too long.
    """
    shown = printable(name)
    if len(shown) > MAX_NAME:
        raise SessionError(f"a name has at most {MAX_NAME} characters, this one {len(shown)}: give a shorter one")
    return shown


def whoever_is_here(settings: Settings) -> str:
    """The name of the settings; without one, that of the user of this machine, where it is known."""
    if settings.sessions.reviewer:
        return person(settings.sessions.reviewer)
    try:
        return person(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return ""
