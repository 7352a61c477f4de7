"""One image to read."""

import hashlib
from pathlib import Path
from typing import Self

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import DataError


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
        """The case of an image file; the bytes are hashed, the pixels are not looked at.

        Raises ``DataError`` where the file cannot be read.
        """
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from None
        return cls(
            id=digest,
            path=path,
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
