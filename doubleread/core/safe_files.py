"""Safe reading of files from untrusted sources.

Every file of a panel, run, bundle, session or cache is read through these functions. They open regular files only, stay
inside a folder, and limit size, nesting, numbers and array shapes before memory is allocated. They raise
``FileError``, whose message names the file; callers add what to do.
"""

import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doubleread.core.errors import FileError, FileMissing
from doubleread.core.types import Json

MAX_BYTES = 512_000_000
"""Largest file that is read at once, in bytes."""
MAX_ARRAY_BYTES = 8_000_000_000
"""Largest total size of the arrays of one file, in bytes."""
MAX_DEPTH = 100
"""Deepest nesting of JSON."""
MAX_DIGITS = 30
"""Most digits of an integer in JSON; longer ones are slow to convert."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
"""All bytes except those that determine nesting."""
_STRINGS = re.compile(rb'"[^"]*(?:"|\Z)')
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")
_ODD_NUMBERS = (b"0" * (MAX_DIGITS + 1), b"e000", b"e+000")
"""Found in an integer that is too long or a number that is too large, once every digit is replaced by 0."""
_KINDS = "biufSU"
"""Array types of plain values: booleans, numbers and text. Objects would have to be unpickled."""


def inside(folder: Path, name: str) -> Path:
    """Returns the path of a file below ``folder``.

    Raises ``FileError`` for absolute names, ``..``, and links that lead outside.
    """
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or "\\" in name or name.startswith("/") or ".." in parts or Path(name).is_absolute():
        raise FileError(f"{name!r} is not the name of a file in {folder}")
    path = folder.joinpath(*parts)
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):  # resolve() fails on link loops
        raise FileError(f"{path} is a link to a place outside {folder}")
    return path


def open_regular(path: Path) -> BufferedReader:
    """Opens a regular file for reading. Raises ``FileError`` for pipes, devices, folders and missing files.

    Callers check the size. Opening never blocks on a pipe.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise FileMissing(f"{path} is missing") from None
    except (OSError, ValueError) as error:  # a name may contain a zero byte
        raise FileError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileError(f"{path} is not a regular file")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """Returns the contents of a regular file of at most ``limit`` bytes."""
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > limit:
            raise FileError(f"{path} has {size:,} bytes; at most {limit:,} are read")
        try:
            data = file.read(limit + 1)
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise FileError(f"{path} has more than {limit:,} bytes")
    return data


def read_text(path: Path, *, limit: int = MAX_BYTES, encoding: str = "utf-8") -> str:
    """Returns the decoded contents of a regular file of at most ``limit`` bytes."""
    try:
        return read_bytes(path, limit=limit).decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.upper().removesuffix("-SIG")
        raise FileError(f"{path} is not {name} text (byte {error.start})") from None


def read_json(path: Path, *, limit: int = MAX_BYTES) -> Json:
    """Reads a JSON object."""
    loaded = parse_json(read_bytes(path, limit=limit), path)
    if not isinstance(loaded, dict):
        raise FileError(f"{path} should hold a JSON object, not {_json_type(loaded)}")
    return loaded


def read_json_lines(path: Path, *, limit: int = MAX_BYTES) -> Iterator[tuple[int, bytes]]:
    """Yields the non-empty lines of a file, checked by ``check_json``, with their numbers, counted from 1."""
    for number, line in enumerate(read_bytes(path, limit=limit).split(b"\n"), start=1):
        if line.strip():
            check_json(line, f"{path}, line {number}")
            yield number, line


def parse_json(data: bytes | str, where: Path | str) -> Any:
    """Parses JSON with limited nesting and finite numbers of limited length. ``where`` names it in errors."""
    check_json(data, where)
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    shape = raw.translate(_SHAPE)
    odd = any(mark in shape for mark in _ODD_NUMBERS)  # few files have one, so most skip the check of every number
    checks: dict[str, Any] = {"parse_int": _integer, "parse_float": _finite} if odd else {}
    try:
        loaded = json.loads(data, parse_constant=_refuse, **checks)
        if (b"\\u" in raw or b"\xed" in raw) and _HALF.search(raw):
            json.dumps(loaded, ensure_ascii=False).encode()  # a lone surrogate could never be written again
        return loaded
    except UnicodeEncodeError:
        raise FileError(f"{where} holds half a surrogate pair, which is no text") from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where} is not JSON that can be read: {' '.join(str(error).split())[:200]}") from None


def check_json(data: bytes | str, where: Path | str) -> None:
    """Raises ``FileError`` for JSON nested deeper than ``MAX_DEPTH``; does not check the syntax."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    if b"\\" in raw:
        raw = _ESCAPED.sub(b"", raw)
    brackets = _STRINGS.sub(b"", raw.translate(None, _NO_STRUCTURE))
    left = brackets
    for _ in range(MAX_DEPTH // 2):  # each pass removes one or two levels: 20 times as fast as counting them
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    depth = 0
    for mark in brackets if left else b"":
        depth += 1 if mark in b"[{" else -1
        if depth > MAX_DEPTH:
            raise FileError(f"{where} is nested deeper than {MAX_DEPTH} levels")


def read_arrays(path: Path, *, limit: int = MAX_ARRAY_BYTES) -> dict[str, NDArray[Any]]:
    """Returns the arrays of an ``.npz`` file; never unpickles. Numbers must be finite.

    Before memory is allocated, each array's declared shape must match its bytes in the file, and their sum must not
    exceed ``limit``.
    """
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if (size := sum(one.file_size for one in members)) > limit:
                    raise FileError(f"{path} holds {size:,} bytes of arrays; at most {limit:,} are read")
                found = {one.filename.removesuffix(".npy"): _array(archive, one, path) for one in members}
        except (OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, SyntaxError) as error:
            raise FileError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from None
        except (zipfile.BadZipFile, zlib.error) as error:
            raise FileError(f"{path} is damaged: {error}") from None
    if len(found) < len(members):
        raise FileError(f"{path} holds two arrays of one name")
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    from numpy.lib import format as npy  # noqa: PLC0415 - not part of numpy's top level

    with archive.open(member) as file:
        version = npy.read_magic(file)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = reader(file)
        if dtype.kind not in _KINDS:
            raise FileError(f"{path} holds {dtype} in {member.filename}; only numbers and text are read")
        size = dtype.itemsize
        for length in shape:
            size *= length
        if size != member.file_size - file.tell():
            raise FileError(f"{path} declares {size:,} bytes for {member.filename} of shape {shape} and holds fewer")
    with archive.open(member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise FileError(f"{path} holds values in {member.filename} that are not finite")
    return array


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer has {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:20]} is too large")
    return value


def _json_type(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), type(value).__name__)
