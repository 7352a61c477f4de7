"""``checksums.json``: what the first copy of a file was, where no checksum was known."""

from pathlib import Path

from pydantic import Field, ValidationError

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.evals.public.disk import writing

NAME = "checksums.json"


class Checksums(Record):
    """sha256 by the name of the file."""

    sha256: dict[str, str] = Field(default_factory=dict)


def remembered(folder: Path) -> dict[str, str]:
    """What the folder remembers; raises ``DataError`` for a file that is something else."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        return dict(Checksums.model_validate_json(path.read_bytes()).sha256)
    except ValidationError:
        raise DataError(f"{path} is not a list of checksums: move it away, or choose another -o") from None


def remember(folder: Path, name: str, sha256: str) -> None:
    """From now on the file must be this one."""
    known = Checksums(sha256={**remembered(folder), name: sha256})
    fresh = folder / f"{NAME}.part"
    with writing(fresh):
        fresh.write_text(known.model_dump_json(indent=1) + "\n", encoding="utf-8")
    fresh.replace(folder / NAME)
