"""Files that are dropped into a terminal: it types their paths, quoted, escaped or as addresses."""

import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def dropped(text: str) -> tuple[Path, ...]:
    """The image files that a line consists of; nothing where it says anything else."""
    whole = _path(text)
    if _is_image(whole):
        return (whole,)
    found = paths_in(text)
    return found if found and all(map(_is_image, found)) else ()


def paths_in(text: str) -> tuple[Path, ...]:
    """What a line names, whether it is there or not."""
    try:
        words = shlex.split(text)
    except ValueError:  # an apostrophe is no quotation
        words = text.split()
    return tuple(map(_path, words))


def _path(word: str) -> Path:
    if word.startswith("file://"):
        word = unquote(urlsplit(word).path)
    return Path(word.replace("\0", "")).expanduser() if word.startswith("~/") else Path(word.replace("\0", ""))


def _is_image(path: Path) -> bool:
    try:
        return path.suffix.lower() in SUFFIXES and path.is_file()
    except OSError:  # a long sentence is no file name
        return False
