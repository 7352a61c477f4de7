"""What is known of a public data set, and the table of them (``table.toml``)."""

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import UnknownPart

SHA256 = r"^[0-9a-f]{64}$"


class PublicFile(Record):
    """One file: the name it is saved under, its address, and what it must be."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str
    size: int | None = Field(default=None, gt=0, description="Bytes.")
    sha256: str | None = Field(default=None, pattern=SHA256, description="None where it is not known.")
    unpack: bool = Field(default=False, description="A zip archive whose contents are wanted.")


class PublicDataset(Record):
    """A data set that anybody can get.

    With ``files`` it can be fetched; otherwise ``steps`` are the commands that get it. ``use`` is what to run then:
    ``{folder}`` stands for the folder it was fetched into.
    """

    name: str
    what: str
    images: int = Field(gt=0)
    labels: tuple[str, ...]
    licence: str
    home: str
    citation: str
    use: str | None = None
    package: str | None = Field(default=None, description="Its package on PyPI.")
    checksums_from: str | None = Field(default=None, description="Who vouches for the checksums.")
    steps: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    files: tuple[PublicFile, ...] = ()

    @property
    def size(self) -> int | None:
        """Bytes of all files; None where one of them is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes or not sizes else sum(size for size in sizes if size is not None)


@cache
def public_datasets() -> dict[str, PublicDataset]:
    """Every public data set by its name."""
    rows = tomllib.loads(files("doubleread.evals.public").joinpath("table.toml").read_text(encoding="utf-8"))
    return {name: PublicDataset.model_validate({"name": name, **row}) for name, row in rows.items()}


def find(name: str) -> PublicDataset:
    """The data set of that name; raises ``UnknownPart``."""
    if name not in public_datasets():
        raise UnknownPart("data set", name, public_datasets())
    return public_datasets()[name]
