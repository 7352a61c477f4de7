"""Turns given images into cases, and many of them into verdicts concurrently."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from doubleread.core.case import Case, shown
from doubleread.core.errors import DataError, FileError, FileMissing, ImageError
from doubleread.core.image_paths import locate, named
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
        return case_of_file(image)
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
        source = shown(named(image)) if isinstance(image, (str, Path)) else "memory"
        return Unread(source=source, code=error.code, problem=str(error))


def case_of_file(written: str | Path) -> Case:
    """Returns the file that a path or a ``file://`` address means, as a case. Raises ``ImageError``."""
    try:
        found = locate(written).path
        if _is_folder(found):
            raise ImageError(
                "unreadable", f"{found} is a folder: name its images, as in Path({str(found)!r}).rglob('*.jpg')"
            )
        return Case.from_file(found, source=named(written))
    except FileMissing as error:
        raise ImageError("missing", str(error)) from None
    except DataError as error:
        raise ImageError("unreadable", str(error)) from None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # opening it says what is wrong
        return False


def several(images: Iterable[Readable]) -> Iterable[Readable]:
    """Returns the images; raises ``DataError`` for a single one, whose letters or bytes would be taken for images."""
    if isinstance(images, (str, bytes, Path, Case, Image.Image)):
        raise DataError("several images were expected, and one was given: put it into a list, or use diagnose")
    return images


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
    images: Iterable[Readable] | AsyncIterable[Readable],
    held: Images,
    read: Callable[[Case], Awaitable[Verdict]],
    most: int,
) -> AsyncGenerator[tuple[int, Verdict | Unread], None]:
    """Yields positions and results of ``read`` as they are ready, with at most ``most`` running at a time.

    While an async iterable has no image ready, those that were taken are read all the same.
    """
    waiting, place, over = _one_by_one(images), 0, False
    flying: set[asyncio.Task[tuple[int, Verdict | Unread]]] = set()
    taking: asyncio.Task[tuple[Readable, ...]] | None = None
    with one_thread():
        try:
            while True:
                if taking is None and not over and len(flying) < most:
                    taking = asyncio.create_task(_next(waiting))
                if not flying and taking is None:
                    return
                busy = {*flying, taking} if taking else flying
                landed, _ = await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
                if taking in landed:
                    taken, taking = taking.result(), None
                    over = not taken
                    flying |= {asyncio.create_task(_one(place, image, held, read)) for image in taken}
                    place += len(taken)
                for task in flying & landed:
                    flying.discard(task)
                    yield task.result()
        finally:
            await _given_up({*flying, taking} if taking else flying)


async def _given_up(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _next(images: AsyncIterator[Readable]) -> tuple[Readable, ...]:
    """Returns the next image; nothing at the end."""
    try:
        return (await anext(images),)
    except StopAsyncIteration:
        return ()


async def _one_by_one(images: Iterable[Readable] | AsyncIterable[Readable]) -> AsyncIterator[Readable]:
    if isinstance(images, AsyncIterable):
        async for image in images:
            yield image
    else:
        for image in images:
            yield image


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
