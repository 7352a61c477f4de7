"""An export as one file that a browser can save."""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from doubleread.core.errors import SessionsFull

PIECE = 256 * 1024


def write_out(file: Path, folder: Path) -> tuple[str, str, BinaryIO]:
    """Name, media type and contents: the file itself, or everything in the folder where it came with pictures.

    The contents lie in a file without a name, which is gone when it is closed. Raises ``SessionsFull``.
    """
    beside = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if len(beside) == 1:
        media = "text/html" if file.suffix == ".html" else "text/markdown"
        return file.name, f"{media}; charset=utf-8", file.open("rb")
    out = tempfile.TemporaryFile()  # noqa: SIM115 - closed by those who send it
    try:
        with zipfile.ZipFile(out, "w") as archive:
            for path in beside:
                small = zipfile.ZIP_DEFLATED if path == file else zipfile.ZIP_STORED  # pictures are compressed already
                archive.write(path, path.relative_to(folder), compress_type=small)
    except OSError as error:
        out.close()
        raise SessionsFull(f"the export cannot be written ({error.strerror}); the session is kept as it is") from None
    out.seek(0, os.SEEK_SET)
    return f"{file.stem}.zip", "application/zip", out


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The contents, piece by piece; closes the file."""
    with file:
        while piece := file.read(PIECE):
            yield piece
