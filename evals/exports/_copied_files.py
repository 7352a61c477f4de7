"""Copies the picture of a case, checked against its id."""

import hashlib
import os
from pathlib import Path, PurePath

from doubleread.core.case import MAX_IMAGE_BYTES, Case
from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import read_bytes


def bytes_of(case: Case) -> bytes:
    """The picture of a case; raises ``DataError`` where its file is missing or holds another one by now."""
    if case.path is None:
        raise DataError("it has no file, because it was added from memory")
    try:
        data = read_bytes(case.path, limit=MAX_IMAGE_BYTES)
    except FileError as error:
        raise DataError(str(error)) from None
    if hashlib.sha256(data).hexdigest() != case.id:
        raise DataError("the file has changed since it was read or added")
    return data


def put(case: Case, data: bytes, target: Path, link: bool) -> None:
    """Links or writes the picture of a case. Raises ``FileError``, which ends the export."""
    if link and case.path is not None:
        try:
            os.link(os.path.realpath(case.path), target)
            return
        except OSError:  # another file system, or one without hard links
            pass
    try:
        target.write_bytes(data)
    except OSError as error:
        raise FileError(f"{target.name} cannot be written: {error.strerror}; nothing was exported") from None


def file_name(case: Case) -> str:
    """The name of its file as people know it, with the suffix of the file that holds it."""
    path = PurePath(case.path or "")
    known = PurePath(case.source.replace("\\", "/").rpartition("/")[2])
    return known.name if known.name and known.suffix.lower() == path.suffix.lower() else path.name
