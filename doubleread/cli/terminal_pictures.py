"""Finds out how the terminal can show pictures, by short queries that it does not print."""

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
"""Seconds to wait for the terminal's answer."""
_IN, _OUT = 0, 1
"""The process's own file descriptors, even if Python's streams are redirected."""

_ATTRIBUTES, _CELL = "\x1b[c", "\x1b[16t"
_KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_SPEAK_KITTY = ("kitty", "ghostty", "wezterm", "konsole")
_END = re.compile(rb"\x1b\[\?([\d;]*)c")
_CELL_IS = re.compile(rb"\x1b\[6;(\d+);(\d+)t")


def preview_of(console: Console, wanted: Wanted) -> Preview:
    """Returns how this console shows pictures. An explicitly requested mode is used on any terminal."""
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
    """Returns the terminal's answer. Kitty's protocol is queried only on terminals known to support it, since others
    print the query. Every terminal answers the last query.
    """
    question = _CELL + _ATTRIBUTES
    if wanted == "auto" and _may_speak_kitty(environment):
        question = _KITTY + question
    try:
        return _talk(question.encode("ascii"))
    except (ImportError, OSError, ValueError):
        return b""


def _is_shared(environment: Mapping[str, str]) -> bool:
    """Whether tmux or screen is in between, which answers for a terminal that it does not know."""
    return bool(environment.get("TMUX")) or environment.get("TERM", "").startswith(("screen", "tmux"))


def _may_speak_kitty(environment: Mapping[str, str]) -> bool:
    names = " ".join(environment.get(name, "") for name in ("TERM", "TERM_PROGRAM")).casefold()
    return any(one in names for one in _SPEAK_KITTY) or "KONSOLE_VERSION" in environment


def _talk(question: bytes) -> bytes:
    """Sends a query and reads until the last answer or the timeout."""
    import termios  # not on Windows

    if not (os.isatty(_IN) and os.isatty(_OUT)) or os.tcgetpgrp(_IN) != os.getpgrp():
        return b""
    with _silent(_IN):
        if select.select([_IN], [], [], 0)[0]:  # type-ahead of the user: leave it unread
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
    """Turns off echo and line buffering while the block runs."""
    import termios
    import tty

    before = termios.tcgetattr(inlet)
    tty.setcbreak(inlet, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(inlet, termios.TCSANOW, before)


def _cell(said: bytes) -> CellSize | None:
    """Returns the size of a character cell: as reported, or from the window size."""
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
