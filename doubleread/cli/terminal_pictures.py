"""What the terminal can show, asked of it: never for long, and nothing that it might print instead of answering."""

import os
import re
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from rich.console import Console

from doubleread.render.preview import USUAL, CellSize, Preview

Wanted = Literal["auto", "kitty", "sixel", "blocks", "none"]
ANSWER_S = 1.0
"""A terminal that has not answered by then, never will."""
_IN, _OUT = 0, 1
"""The process's own, wherever Python's streams lead."""

_ATTRIBUTES, _CELL = "\x1b[c", "\x1b[16t"
_KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_SPEAK_KITTY = ("kitty", "ghostty", "wezterm", "konsole")
_END = re.compile(rb"\x1b\[\?([\d;]*)c")
_CELL_IS = re.compile(rb"\x1b\[6;(\d+);(\d+)t")


def preview_of(console: Console, wanted: Wanted) -> Preview:
    """How this console shows pictures. What was asked for by name is done wherever a terminal is."""
    if not console.is_terminal or console.is_dumb_terminal or wanted == "none":
        return Preview("none")
    plain = Preview("blocks" if wanted == "blocks" or _colours(console) else "none")
    if wanted == "blocks" or (wanted == "auto" and (plain.how == "none" or _is_shared(os.environ))):
        return plain
    said = _asked(os.environ, wanted)
    cell = _cell(said)
    if wanted != "auto":
        return Preview(wanted, cell or USUAL)
    if cell is None:
        return plain
    if b"\x1b_Gi=31;OK" in said:
        return Preview("kitty", cell)
    end = _END.search(said)
    return Preview("sixel", cell) if end and b"4" in end[1].split(b";")[1:] else plain


def _colours(console: Console) -> bool:
    return console.color_system in ("256", "truecolor") and not console.no_color


def _asked(environment: Mapping[str, str], wanted: Wanted) -> bytes:
    """What the terminal answers. Only those that name themselves are asked about kitty's protocol: others print the
    question. The last question is one that every terminal answers."""
    question = _CELL + _ATTRIBUTES
    if wanted == "auto" and _may_speak_kitty(environment):
        question = _KITTY + question
    try:
        return _talk(question.encode("ascii"))
    except (ImportError, OSError, ValueError):
        return b""


def _is_shared(environment: Mapping[str, str]) -> bool:
    """Whether tmux or screen stands between, which answers for terminals that it does not know."""
    return bool(environment.get("TMUX")) or environment.get("TERM", "").startswith(("screen", "tmux"))


def _may_speak_kitty(environment: Mapping[str, str]) -> bool:
    names = " ".join(environment.get(name, "") for name in ("TERM", "TERM_PROGRAM")).casefold()
    return any(one in names for one in _SPEAK_KITTY) or "KONSOLE_VERSION" in environment


def _talk(question: bytes) -> bytes:
    """Asks, and listens until the last answer has come or it has taken too long."""
    import termios  # not on Windows

    if not (os.isatty(_IN) and os.isatty(_OUT)) or os.tcgetpgrp(_IN) != os.getpgrp():
        return b""
    with _silent(_IN):
        if select.select([_IN], [], [], 0)[0]:  # something was typed ahead: it is not ours to read
            return b""
        os.write(_OUT, question)
        heard, until = b"", time.monotonic() + ANSWER_S
        while not _END.search(heard):
            left = until - time.monotonic()
            if left <= 0 or not select.select([_IN], [], [], left)[0]:
                termios.tcflush(_IN, termios.TCIFLUSH)
                break
            heard += os.read(_IN, 1024)
        return heard


@contextmanager
def _silent(inlet: int) -> Iterator[None]:
    """Answers are read as they come, and not shown."""
    import termios
    import tty

    before = termios.tcgetattr(inlet)
    tty.setcbreak(inlet, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(inlet, termios.TCSANOW, before)


def _cell(said: bytes) -> CellSize | None:
    """The size of a letter, as the terminal says it, or its window's."""
    answer = _CELL_IS.search(said)
    if answer and int(answer[1]) and int(answer[2]):
        return CellSize(int(answer[2]), int(answer[1]))
    try:
        import fcntl
        import struct
        import termios

        asked = fcntl.ioctl(_OUT, termios.TIOCGWINSZ, bytes(8))
    except (ImportError, OSError, ValueError):
        return None
    rows, columns, width, height = struct.unpack("HHHH", asked)
    return (
        CellSize(width // columns, height // rows) if rows and columns and width >= columns and height >= rows else None
    )
