"""Serves static files, pictures and exports."""

import asyncio
import os
import tempfile
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from doubleread.core.errors import SessionsFull
from doubleread.render.thumbnail import case_picture
from doubleread.web.limits import whole_number
from doubleread.web.pages import STATIC, static_file

SIDES = (96, 192, 220, 1200)
"""Sizes in which pictures are served: the longer side in pixels."""
PIECE = 256 * 1024


async def static(request: Request) -> Response:
    """Serves a script or style sheet."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(404, "there is no such file")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(static_file(name), media_type=STATIC[name], headers=headers)


async def picture(request: Request, path: Path | None, case: str) -> Response:
    """Serves a picture of a case, scaled to the requested size."""
    side = whole_number(request.query_params.get("side", "220"))
    if path is None or side not in SIDES:
        raise HTTPException(404, "there is no such picture")
    data = await asyncio.to_thread(_small, path, case, side)
    if data is None:
        raise HTTPException(404, "the picture is not there any more")
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(data, media_type="image/webp", headers=headers)


@lru_cache(maxsize=1000)
def _small(path: Path, case: str, side: int) -> bytes | None:
    return case_picture(path, case, side=side)


def write_out(file: Path, folder: Path) -> tuple[str, str, BinaryIO]:
    """Returns name, media type and contents: the file alone, or a zip archive of the folder if there are pictures.

    The archive is an unnamed temporary file, deleted when closed. Raises ``SessionsFull``.
    """
    beside = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if len(beside) == 1:
        media = "text/html" if file.suffix == ".html" else "text/markdown"
        return file.name, f"{media}; charset=utf-8", file.open("rb")
    out = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the sender
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
    """Yields the contents in pieces and closes the file."""
    with file:
        while piece := file.read(PIECE):
            yield piece
