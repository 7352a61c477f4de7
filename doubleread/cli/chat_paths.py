"""Parses files dropped into a terminal, which types their paths quoted, escaped or as URLs."""

import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def dropped(text: str) -> tuple[Path, ...]:
    """Returns the image files that a line consists of; nothing if it contains anything else."""
    whole = _path(text)
    if _is_image(whole):
        return (whole,)
    found = paths_in(text)
    return found if found and all(map(_is_image, found)) else ()


def paths_in(text: str) -> tuple[Path, ...]:
    """Returns the paths that a line names, whether or not they exist."""
    try:
        words = shlex.split(text)
    except ValueError:  # an apostrophe, not a quotation mark
        words = text.split()
    if "\\" in text and not all(path.exists() for path in map(_path, words)):
        words = text.split()  # backslashes as Windows writes them
    return tuple(map(_path, words))


def _path(word: str) -> Path:
    if word.startswith("file://"):
        word = unquote(urlsplit(word).path)
    return Path(word.replace("\0", "")).expanduser() if word.startswith("~/") else Path(word.replace("\0", ""))


def _is_image(path: Path) -> bool:
    try:
        return path.suffix.lower() in SUFFIXES and path.is_file()
    except OSError:  # a sentence too long to be a file name
        return False
