"""The lines of a table of text, whatever encoding a spreadsheet wrote it in."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from doubleread.core.errors import FileError
from doubleread.core.notices import Caution
from doubleread.core.safe_files import MAX_BYTES, read_bytes
from doubleread.core.safe_text import MAX_LINE, byte_lines, read_head, text_lines

_WIDE = (b"\xff\xfe", b"\xfe\xff")
_NOT_TEXT = {b"PK\x03\x04": "an Excel workbook or another zip file", b"\xd0\xcf\x11\xe0": "an old Excel workbook",
             b"PAR1": "a Parquet file", b"\x1f\x8b": "a compressed file"}  # fmt: skip
_HIGH = re.compile(rb"[\x80-\xff]+")
_WESTERN = re.compile(rb"[\x80\x85\x8a\x8c\x8e\x91-\x94\x96\x97\x99\x9a\x9c\x9e\x9f-\xff]|[\xe0-\xf6\xf8-\xfd]{2}")
"""One letter or sign of Windows-1252 between ASCII, or two small letters with accents; other code pages have more."""
SAVE_AS = "save it as CSV UTF-8 (in Excel: File > Save As > CSV UTF-8)"


class TableLines(NamedTuple):
    """``lines()`` starts at the first line each time it is called."""

    lines: Callable[[], Iterator[str]]
    notes: tuple[str, ...] = ()


def table_lines(file: Path) -> TableLines:
    """The lines with their ends: UTF-8, UTF-16 with its mark, or Windows-1252 where that can be told.

    Raises ``FileError`` for another encoding, with the line, and for a file that is no text.
    """
    head = read_head(file, 4)
    for magic, what in _NOT_TEXT.items():
        if head.startswith(magic):
            raise FileError(f"{file} is {what}, not a table of text; {SAVE_AS}")
    if head.startswith(_WIDE):
        return TableLines(lambda: _utf16(file))
    odd = _not_utf8(file)
    if odd is None:
        return TableLines(lambda: text_lines(file))
    if not _is_western(file):
        raise FileError(
            f"{file}, line {odd}: not UTF-8 text; it may be in a code page of Windows, such as 936 (Chinese) or 1251 "
            f"(Cyrillic): {SAVE_AS}"
        )
    note = f"{file.name} is not UTF-8 (line {odd}) and was read as Windows-1252; if letters look wrong, {SAVE_AS}"
    return TableLines(lambda: _windows(file), (Caution(note),))


def _utf16(file: Path) -> Iterator[str]:
    try:
        text = read_bytes(file, limit=MAX_BYTES // 4).decode("utf-16")
    except UnicodeDecodeError:
        raise FileError(f"{file}: not UTF-16 text, although it begins like one; {SAVE_AS}") from None
    for number, line in enumerate(re.split(r"(?<=\n)|(?<=\r)(?!\n)", text), start=1):
        if len(line) > MAX_LINE:
            raise FileError(f"{file}, line {number}: more than {MAX_LINE:,} characters in one line")
        if line:
            yield line


def _not_utf8(file: Path) -> int | None:
    """The number of the first line that is not UTF-8."""
    for number, line in enumerate(byte_lines(file), start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return None


def _is_western(file: Path) -> bool:
    """Whether accents stand one or two at a time, as in Western European words."""
    return all(_WESTERN.fullmatch(run) for line in byte_lines(file) for run in _HIGH.findall(line))


def _windows(file: Path) -> Iterator[str]:
    for line in byte_lines(file):
        yield from filter(None, re.split(r"(?<=\r)(?!\n)", _western_text(line, file)))


def _western_text(line: bytes, file: Path) -> str:
    if b"\0" in line:
        raise FileError(f"{file}: binary data, not a table of text")
    return line.decode("cp1252")
