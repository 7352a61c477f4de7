"""One image to read."""

import hashlib
from pathlib import Path
from typing import Self

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import DataError


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
        """The case of an image file; the bytes are hashed, the pixels are not looked at.

        Raises ``DataError`` where the file cannot be read.
        """
        if shown(path) != str(path):
            raise DataError(f"cannot use {shown(path)}: its name is not UTF-8; rename the file")
        try:
            if path.exists() and not path.is_file():
                raise DataError(f"cannot read {path}: it is not a file")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, ValueError) as error:  # a name may be too long, or hold a zero byte
            raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
        return cls(
            id=digest,
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
