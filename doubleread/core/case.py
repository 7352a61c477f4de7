"""One image to read, and what is said of one that could not become a case."""

import hashlib
import os
from pathlib import Path
from typing import Self

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import open_regular

MAX_IMAGE_BYTES = 50_000_000
"""Largest image file that is read."""


def shown(path: str | Path) -> str:
    """A path as text that can be printed and written as JSON, whatever bytes its name is made of."""
    return str(path).encode("utf-8", "backslashreplace").decode()


class Case(Record):
    """One image, known by the sha256 of its bytes.

    ``group`` names what must never be split between fitting and judging: the same capture,
    patient, module. ``label`` is the true label where it is known.
    """

    id: str = Field(pattern=r"^[0-9a-f]{64}$")
    path: Path | None = None
    source: str = ""
    """Where it came from, for people: a file name, or ``memory``."""
    label: str | None = None
    group: str | None = None
    split: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        source: str | None = None,
        label: str | None = None,
        group: str | None = None,
        split: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Self:
        """The case of an image file of at most ``MAX_IMAGE_BYTES``; the bytes are hashed, the pixels not looked at.

        Raises ``DataError`` where the file cannot be read.
        """
        if shown(path) != str(path):
            raise DataError(f"cannot use {shown(path)}: its name is not UTF-8; rename the file")
        return cls(
            id=digest_of_file(path),
            path=path.absolute(),
            source=source or str(path),
            label=label,
            group=group,
            split=split,
            metadata=metadata or {},
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "memory") -> Self:
        """The case of an image that is already in memory."""
        return cls(id=hashlib.sha256(data).hexdigest(), source=source)


class RowProblem(Record):
    """One row or file that was left out, and why."""

    where: str
    """``row 12`` of a manifest, or a path relative to the folder."""
    path: str = ""
    problem: str


def digest_of_file(path: Path) -> str:
    """The sha256 of an image file. Raises ``DataError``, for one larger than ``MAX_IMAGE_BYTES`` too."""
    try:
        with open_regular(path) as file:
            if (size := os.fstat(file.fileno()).st_size) > MAX_IMAGE_BYTES:
                allowed = f"at most {MAX_IMAGE_BYTES // 1_000_000} MB are read"
                raise DataError(f"{path} has {size:,} bytes; {allowed}: export it smaller, as JPEG or PNG")
            return hashlib.sha256(file.read(MAX_IMAGE_BYTES)).hexdigest()
    except FileError as error:
        raise DataError(f"cannot read the image: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror or error}") from None
