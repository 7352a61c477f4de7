"""Turns given images into cases, and many of them into verdicts concurrently."""

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from itertools import islice
from pathlib import Path

from PIL import Image

from doubleread.core.case import Case, shown
from doubleread.core.errors import DataError, FileError, FileMissing, ImageError
from doubleread.core.process import one_thread
from doubleread.core.verdict import Unread, Verdict
from doubleread.rag.images.case_images import Images

Readable = Case | Path | str | bytes | Image.Image
"""What can be diagnosed: a case, a file, encoded bytes, or a PIL image."""

_AS_RGB, _AS_TIFF = ("YCbCr", "HSV", "RGBX"), ("CMYK", "LAB")


def case_of(image: Readable, images: Images) -> Case:
    """Returns the image as a case; ``images`` holds one that has no file. Raises ``ImageError``."""
    if isinstance(image, Case):
        return image
    if isinstance(image, (str, Path)):
        return _of_file(Path(image))
    data = _encoded(image) if isinstance(image, Image.Image) else image
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ImageError("not-an-image", f"a {type(image).__name__} is no image: give a path, bytes or a PIL image")
    case = Case.from_bytes(bytes(data))
    images.hold(case.id, bytes(data))
    return case


def case_or_unread(image: Readable, images: Images) -> Case | Unread:
    """Like ``case_of``, but returns the error as a value."""
    try:
        return case_of(image, images)
    except ImageError as error:
        source = shown(image) if isinstance(image, (str, Path)) else "memory"
        return Unread(source=source, code=error.code, problem=str(error))


def _of_file(path: Path) -> Case:
    try:
        return Case.from_file(path)
    except DataError as error:
        missing = isinstance(error.__context__, FileMissing)
        raise ImageError("missing" if missing else "unreadable", str(error)) from None


def _encoded(image: Image.Image) -> bytes:
    """Encodes an image without loss, with its colour profile: as PNG, or as TIFF if PNG lacks its mode."""
    buffer = io.BytesIO()
    try:
        made = image.convert("RGB") if image.mode in _AS_RGB else image
        made.save(buffer, "TIFF" if image.mode in _AS_TIFF else "PNG")
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError("unreadable", f"the PIL image of mode {image.mode} cannot be used: {error}") from None
    return buffer.getvalue()


async def verdicts_of(
    images: Iterable[Readable], held: Images, read: Callable[[Case], Awaitable[Verdict]], most: int
) -> AsyncGenerator[tuple[int, Verdict | Unread], None]:
    """Yields positions and results of ``read`` as they are ready, with at most ``most`` running at a time."""
    waiting = enumerate(images)
    flying: set[asyncio.Task[tuple[int, Verdict | Unread]]] = set()
    with one_thread():
        try:
            while True:
                free = islice(waiting, most - len(flying))
                flying |= {asyncio.create_task(_one(place, image, held, read)) for place, image in free}
                if not flying:
                    return
                landed, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                for task in landed:
                    yield task.result()
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)


async def _one(
    place: int, image: Readable, held: Images, read: Callable[[Case], Awaitable[Verdict]]
) -> tuple[int, Verdict | Unread]:
    case = case_or_unread(image, held)
    if isinstance(case, Unread):
        return place, case
    try:
        return place, await read(case)
    except ImageError as error:
        return place, Unread(source=case.source, code=error.code, problem=str(error))
    except FileError:  # the recording cannot be written, for this or any other case
        raise
    except Exception as error:  # noqa: BLE001 - one case must not stop the others
        told = f"{type(error).__name__}: {error}"[:300]
        return place, Unread(source=case.source, code="failure", problem=told)
