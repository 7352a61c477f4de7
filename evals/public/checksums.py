"""``checksums.json``: what the first copy of a file was, where no checksum was known."""

from pathlib import Path

from pydantic import Field, ValidationError

from doubleread.core.base import Record
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import read_bytes

NAME = "checksums.json"
MAX_BYTES = 1_000_000


class Checksums(Record):
    """sha256 by the name of the file."""

    sha256: dict[str, str] = Field(default_factory=dict)


def remembered(folder: Path) -> dict[str, str]:
    """What the folder remembers; raises ``DataError`` for a file that is something else."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        return dict(Checksums.model_validate_json(read_bytes(path, limit=MAX_BYTES)).sha256)
    except (FileError, ValidationError):
        raise DataError(f"{path} is not a list of checksums: move it away, or choose another -o") from None


def remember(folder: Path, name: str, sha256: str) -> None:
    """From now on the file must be this one."""
    known = Checksums(sha256={**remembered(folder), name: sha256})
    try:
        write_text(folder / NAME, known.model_dump_json(indent=1) + "\n")
    except FileError as error:
        raise DataError(str(error)) from None
