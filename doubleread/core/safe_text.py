"""Safe reading of text, TOML and tables from untrusted sources: bounded and UTF-8, with line numbers in errors.

Raises ``FileError``, as ``safe_files`` does.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from doubleread.core.errors import FileError
from doubleread.core.safe_files import MAX_BYTES, MAX_DEPTH, check_json, open_regular, read_bytes
from doubleread.core.types import Json

MAX_LINE = 16_000_000
"""Longest line, in bytes."""
MAX_TOML = 1_000_000
"""Largest settings, task or prompt file, in bytes."""
_OLD_ENDS = re.compile(r"(?<=\r)(?!\n)")
_DOTTED = re.compile(rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}""")
_WIDE = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16."""


def byte_lines(path: Path, *, longest: int = MAX_LINE, torn: bool = False) -> Iterator[bytes]:
    """Yields the lines of a file of any size with their ends, one at a time.

    ``torn`` leaves out an incomplete last line, as left by a crash or an active writer.
    """
    with open_regular(path) as file:
        number = 0
        try:
            while line := file.readline(longest + 1):
                number += 1
                if len(line) > longest:
                    raise FileError(f"{path}, line {number}: more than {longest:,} bytes in one line")
                if not torn or line.endswith(b"\n"):
                    yield line
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}") from None


def read_head(path: Path, size: int) -> bytes:
    """Returns the first ``size`` bytes of a file."""
    with open_regular(path) as file:
        return file.read(size)


def text_lines(path: Path, *, limit: int = MAX_BYTES, torn: bool = False) -> Iterator[str]:
    """Yields the lines of a UTF-8 file with their ends, without a byte order mark, as ``csv`` expects them.

    ``torn`` is as in ``byte_lines``.
    """
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > limit:
            raise FileError(f"{path} has {size:,} bytes; at most {limit:,} are read")
    for number, line in enumerate(byte_lines(path, torn=torn), start=1):
        yield from filter(None, _OLD_ENDS.split(_text(line, path, number)))


def read_toml(path: Path) -> Json:
    """Reads a TOML file."""
    return parse_toml(_decoded(read_bytes(path, limit=MAX_TOML), path), str(path))


def parse_toml(text: str, where: str) -> Json:
    """Parses a TOML document; ``where`` names it in errors."""
    check_json(text, where)
    if _DOTTED.search(text):  # parsing time grows with the square of its length
        raise FileError(f"{where} is nested deeper than {MAX_DEPTH} levels")
    try:
        loaded = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: not TOML: {' '.join(str(error).split())[:200]}") from None
    level: list[object] = [loaded]
    for _ in range(MAX_DEPTH):  # dotted keys (a.b.c) nest too
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [value for values in inner for value in values]
        if not level:
            return loaded
    raise FileError(f"{where} is nested deeper than {MAX_DEPTH} levels")


def _text(line: bytes, path: Path, number: int) -> str:
    where = f"{path}, line {number}"
    if number == 1 and line.startswith(_WIDE):
        raise FileError(f"{where}: UTF-16 text; save it as UTF-8")
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise FileError(f"{where}: not UTF-8 text; save it as UTF-8") from None
    if "\0" in text:
        raise FileError(f"{where}: binary data, not a table of text")
    return text


def _decoded(data: bytes, path: Path) -> str:
    return "".join(_text(line, path, number) for number, line in enumerate(data.splitlines(keepends=True), start=1))
