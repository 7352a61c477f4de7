"""Where an image is that somebody names: a path, a ``file://`` address, a path as Windows or a spreadsheet writes it.

A path is taken as it is written. Only where nothing is there, the usual slips are tried: spaces and quotation marks
around it, ``~``, backslashes, accents in another Unicode form. A name that differs only in case is told, never taken.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from doubleread.core.case import shown
from doubleread.core.errors import FileMissing

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/", re.IGNORECASE)
_DRIVE = re.compile(r"([a-z]):[\\/](.*)", re.IGNORECASE | re.DOTALL)
_DATA = re.compile(r"data:[a-z]+/", re.IGNORECASE)
_QUOTES = "\"'`“”„‘’«»"
_LONGEST = 200
_BACKSLASHES = "its backslashes were read as /"


class Located(NamedTuple):
    """A file that is there, and how the path was read if not as it is written."""

    path: Path
    note: str = ""


def locate(written: str | Path, home: Path | None = None) -> Located:
    """Returns the file that is meant. A relative path starts at ``home``, or at the current folder.

    Raises:
        FileMissing: Nothing is there, or the path is a web address; the message has the path as written and as read.
    """
    text = str(written)
    if shown(text) != text:
        return Located(Path(text))  # opening it says that its name is not UTF-8
    _check_address(text)
    base, readings = home or Path(), list(_readings(text))
    for reading in readings:
        if _is_there(base / reading.path):
            return Located(base / reading.path, reading.note)
    for reading in readings:
        if found := _existing(base / reading.path, _composed):
            note = "its accents are written in another Unicode form (NFC, NFD) than in the file's name"
            return Located(found, "; ".join(filter(None, (reading.note, note))))
    raise FileMissing(_missing(text, readings, home))


def named(written: str | Path) -> str:
    """Returns a path for messages and records: of a web address neither the password nor what follows ``?``."""
    text = str(written)
    if _DATA.match(text):
        return f"{text[:30]}…"
    if not _ADDRESS.match(text):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return text.partition("?")[0].rpartition("@")[2]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _check_address(text: str) -> None:
    if _DATA.match(text.strip()):
        raise FileMissing(f"{named(text.strip())} contains the image itself; save it as a file, and give its path")
    found = _ADDRESS.match(text.strip())
    if found and found[1].lower() != "file":
        raise FileMissing(
            f"{named(text.strip())[:_LONGEST]} is an address on the network ({found[1]}), and doubleread fetches no "
            "images: download the file, and give its path"
        )
    if found and urlsplit(text.strip()).netloc not in ("", "localhost") and os.name != "nt":
        raise FileMissing(f"{named(text.strip())[:_LONGEST]} is a file of another machine: copy it here")


def _readings(text: str) -> Iterator[Located]:
    """What the text may mean, the most literal reading first."""
    yield Located(Path(text))
    bare = text.strip().strip(_QUOTES).strip()
    note = "" if bare == text else "the spaces or quotation marks around it were left out"
    if note and bare:
        yield Located(Path(bare), note)
    if _ADDRESS.match(bare):
        yield Located(Path(unquote(urlsplit(bare).path)), note)
    if bare.startswith("~"):
        try:
            yield Located(Path(bare).expanduser(), note)
        except RuntimeError:  # no such user
            return
    if "\\" in bare and os.name != "nt":
        drive = _DRIVE.match(bare)
        path = f"/mnt/{drive[1].lower()}/{drive[2]}" if drive else bare  # where Linux on Windows has the disk
        yield Located(Path(path.replace("\\", "/")).expanduser(), _BACKSLASHES)


def _is_there(path: Path) -> bool:
    """Whether something is there, be it only a file that cannot be opened: opening it says why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path.is_symlink()
    except (OSError, ValueError):  # too long, not allowed, a zero byte
        return True
    return True


def _existing(path: Path, alike: Callable[[str], str]) -> Path | None:
    """The path with each part replaced by a name that is there and alike; None where a part has none."""
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        if part == ".." or _is_there(found / part):
            found /= part
            continue
        name = _alike(found, alike).get(alike(part))
        if name is None:
            return None
        found /= name
    return found


def _alike(folder: Path, alike: Callable[[str], str]) -> dict[str, str]:
    try:
        return _names(folder.absolute(), folder.stat().st_mtime_ns, alike)
    except OSError:
        return {}


@lru_cache(maxsize=16)
def _names(folder: Path, changed: int, alike: Callable[[str], str]) -> dict[str, str]:
    """The names in a folder by what they are compared by; ``changed`` makes a folder that changed be read again."""
    del changed
    return {alike(name): name for name in (one.name for one in folder.iterdir())}


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _caseless(name: str) -> str:
    return _composed(name).casefold()


def _missing(text: str, readings: list[Located], home: Path | None) -> str:
    """What was written, what it means, and what may have been meant."""
    base, bare = home or Path(), text.strip().strip(_QUOTES)
    meant = (base / readings[-1].path).absolute()
    means = "" if str(meant) == text or _is_foreign(bare) else f", which means {str(meant)[:_LONGEST]}"
    return f"the file is missing: {named(text)[:_LONGEST]!r}{means}{_hint(bare, meant, home)}"


def _is_foreign(path: str) -> bool:
    """Whether it is a path of Windows, read elsewhere."""
    return os.name != "nt" and _DRIVE.match(path) is not None


def _hint(bare: str, meant: Path, home: Path | None) -> str:
    if other := _existing(meant, _caseless):
        return f"; there is {str(other)!r}, whose name differs in upper and lower case"
    if home is not None and _is_there(Path(bare.replace("\\", "/"))) and not Path(bare).is_absolute():
        return (
            "; paths start at the folder of the table, but this one is right from the current folder: move the table "
            f"to {Path.cwd()}"
        )
    if "%" in bare and _is_there(meant.parent / unquote(meant.name)):
        return f"; there is {str(meant.parent / unquote(meant.name))!r}: write it without % codes"
    if bare.startswith("~") and meant == (Path() / bare).absolute():
        return f"; there is no user {bare.partition('/')[0][1:]!r} here"
    if _is_foreign(bare):
        return "; it is a path of Windows: give the path that the file has on this machine"
    return ""
