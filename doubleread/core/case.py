"""One image to read, and the problem record of one that could not become a case."""

import hashlib
import os
from pathlib import Path
from typing import Self

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import open_regular

MAX_IMAGE_BYTES = 400_000_000
"""Largest image file that is read, in bytes: 120 megapixels of RGB, uncompressed, fit."""


def shown(path: str | Path) -> str:
    """Returns a path as text that can be printed and written as JSON, even if its name is not valid UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()


class Case(Record):
    """One image to read, identified by the sha256 of its bytes.

    Two files with the same bytes are the same case. Build a case with ``from_file`` or ``from_bytes``; the pixels are
    only decoded when an agent reads it.

    Examples:
        >>> from pathlib import Path
        >>> case = doubleread.Case.from_file(Path("leaf.jpg"), label="red", group="plant 7")
        >>> case.source, case.label, len(case.id)
        ('leaf.jpg', 'red', 64)
    """

    id: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The sha256 of the image file, 64 hexadecimal digits."""
    path: Path | None = None
    """The image file; None for an image in memory."""
    source: str = ""
    """Where the image came from, for people: a file name, or ``memory``."""
    label: str | None = None
    """The true label, where it is known."""
    group: str | None = None
    """What the image belongs to (a patient, a plant, a module). A group is never split between fitting and judging."""
    subject: str | None = None
    """What several images show together (a plant, a module, a patient's visit), where one verdict is wanted for all."""
    split: str | None = None
    """``support``, ``calibration`` or ``test``, where the data set says so."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Other columns of the data set."""

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        source: str | None = None,
        label: str | None = None,
        group: str | None = None,
        subject: str | None = None,
        split: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Self:
        """Makes a case from an image file. The bytes are hashed; the pixels are not decoded.

        Raises:
            DataError: The file cannot be read, is larger than ``MAX_IMAGE_BYTES``, or its name is not UTF-8.
        """
        if shown(path) != str(path):
            raise DataError(f"cannot use {shown(path)}: its name is not UTF-8; rename the file")
        return cls(
            id=digest_of_file(path),
            path=path.absolute(),
            source=source or str(path),
            label=label,
            group=group,
            subject=subject,
            split=split,
            metadata=metadata or {},
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "memory") -> Self:
        """Makes a case from the bytes of an image file in memory; it has no ``path``."""
        return cls(id=hashlib.sha256(data).hexdigest(), source=source)


class RowProblem(Record):
    """A row or file of a data set that was left out, and why.

    Examples:
        >>> doubleread.read_dataset("photos").problems  # nothing was left out
        ()
    """

    where: str
    """``row 12`` of a manifest, or a path relative to the folder."""
    path: str = ""
    problem: str
    """What is wrong."""
    reason: str = ""
    """The kind of problem, in words that end a count: ``empty files``."""

    @property
    def line(self) -> str:
        """What was left out and why, in one line."""
        path = f" ({self.path})" if self.path and self.path not in self.where else ""
        return f"skipped {self.where}{path}: {self.problem}"


def digest_of_file(path: Path) -> str:
    """Returns the sha256 of an image file. Raises ``DataError``, also for a file above ``MAX_IMAGE_BYTES``."""
    try:
        with open_regular(path) as file:
            if (size := os.fstat(file.fileno()).st_size) > MAX_IMAGE_BYTES:
                allowed = f"at most {MAX_IMAGE_BYTES // 1_000_000} MB are read"
                raise DataError(f"{path} has {size:,} bytes; {allowed}: export it smaller, as JPEG or PNG")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileError as error:
        raise DataError(f"cannot read the image: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror or error}") from None


__all__ = ["MAX_IMAGE_BYTES", "Case", "RowProblem"]
