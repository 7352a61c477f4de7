"""The prompt: history, completion and key bindings."""

import re
from collections.abc import Iterable
from pathlib import Path

import platformdirs
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.styles import Style

from doubleread.cli.chat_orders import ORDERS
from doubleread.cli.chat_paths import dropped
from doubleread.cli.chat_room import Room
from doubleread.sessions.completion import complete

KEYS = " Tab completes · /help · drop files to add them · Ctrl-C stops · Ctrl-D leaves"
NAME = 30
STYLE = Style.from_dict({"bottom-toolbar": "noreverse ansibrightblack", "name": "bold"})


class ChatPrompt:
    """Reads lines from the terminal."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._asking: PromptSession[str] = PromptSession(
            history=_history(),
            completer=Suggestions(room),
            complete_while_typing=True,
            key_bindings=_keys(),
            bottom_toolbar=KEYS,
            style=STYLE,
            reserve_space_for_menu=6,
        )

    def line(self) -> str | None:
        """Returns the next line; "" after Ctrl-C, None when the user leaves."""
        try:
            return self._asking.prompt(self._before)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    def _before(self) -> StyleAndTextTuples:
        name = self._room.current_name
        return [("class:name", name if len(name) <= NAME else f"{name[: NAME - 1]}…"), ("", " > " if name else "> ")]


class Suggestions(Completer):
    """Completes commands with their labels, agents, images and files; in plain text it completes only paths."""

    def __init__(self, room: Room) -> None:
        self._room, self._paths = room, PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        word, blank, rest = text.lstrip().partition(" ")
        order = ORDERS.get(word[1:]) if blank and word.startswith("/") else None
        if order is not None and order.completes == "labels":
            for name in self._room.panel.task.names:
                if name.casefold().startswith(rest.casefold()) and name != rest:
                    yield _completion(text, f"{word} {name}", "label")
        elif (order is not None and order.completes == "files") or _begins_path(word):
            path = rest if blank else text
            yield from self._paths.get_completions(Document(path), complete_event)
        else:
            yield from self._commands(text, word, begun=not blank)

    def _commands(self, text: str, word: str, *, begun: bool) -> Iterable[Completion]:
        for one in complete(text, self._room.standing) if word.startswith("/") else ():
            yield _completion(text, one.text, one.about)
        for name, order in ORDERS.items():
            if begun and word and f"/{name}".startswith(word):
                yield _completion(text, f"/{name}", order.about)


def _completion(text: str, whole: str, about: str) -> Completion:
    return Completion(whole, start_position=-len(text), display_meta=about)


def _begins_path(word: str) -> bool:
    return word.startswith(("./", "../", "~/")) or word.count("/") > 1


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        """Joins pasted lines into one, which waits for Enter; files dropped into an empty line are submitted."""
        buffer, pasted = event.current_buffer, re.sub(r"[\r\n]+", " ", event.data).strip()
        alone = not buffer.text
        buffer.insert_text(pasted)
        if alone and dropped(pasted):
            buffer.validate_and_handle()

    return keys


def _history() -> History:
    """Returns a history file that only the user can read; an in-memory history if it cannot be written."""
    file: Path = platformdirs.user_state_path("doubleread") / "chat_history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(file)
