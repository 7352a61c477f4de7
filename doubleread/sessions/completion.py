"""Completes typed commands."""

from doubleread.core.base import Record
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.standing import Standing


class LineCompletion(Record):
    """A completion: ``text`` is the whole line."""

    text: str
    about: str


def complete(text: str, standing: Standing) -> list[LineCompletion]:
    """Completes a command; returns nothing for other text."""
    line = text.lstrip()
    if line and not line.startswith("/"):
        return []
    word, blank, rest = line.partition(" ")
    if not blank:
        commands = {f"/{name}": action.help for name, action in actions().items()}
        return [LineCompletion(text=name, about=about) for name, about in commands.items() if name.startswith(word)]
    action = actions().get(word[1:])
    offers = action.complete(rest, standing) if action is not None else ()
    return [LineCompletion(text=f"{word} {said}", about=about) for said, about in offers]
