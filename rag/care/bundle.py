"""Exports the cases of an archive to plain files that any tool can read.

``cases.jsonl`` holds one case a line (or ``cases.parquet`` one a row). ``embeddings-<n>.npy`` holds each encoder's
rows in the same order, float32, NaN where there is none. ``about.json`` holds the checksums. Removed cases and the
history are not exported; a backup keeps those. The folder is written completely or not at all.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import AwareDatetime, Field

from doubleread.core.base import Record
from doubleread.core.case import MAX_IMAGE_BYTES
from doubleread.core.drafts import drafted
from doubleread.core.errors import FileError, StoreError
from doubleread.core.safe_files import read_bytes
from doubleread.core.stored import StoredCase
from doubleread.rag.care import tabular
from doubleread.rag.care.parcel import parcel_of
from doubleread.rag.stores.archive import Archive

Format = Literal["jsonl", "parquet"]
ABOUT = "about.json"
NUMBER = 1
"""Number of the format; a reader refuses others."""
_PICTURES = "images"
_NAME = Annotated[str, Field(min_length=1, max_length=1000)]


class BundleEncoder(Record):
    """An encoder's rows in a bundle."""

    fingerprint: _NAME
    name: str
    dim: int = Field(gt=0, le=100_000)
    file: _NAME
    active: bool


class BundleManifest(Record):
    """The contents of ``about.json``."""

    format: int
    version: str
    """Version of the archive when it was exported."""
    exported: AwareDatetime
    cases: int = Field(ge=0)
    file: _NAME
    encoders: tuple[BundleEncoder, ...]
    sha256: dict[str, str]
    """Checksum of each file by its name, except pictures, which are checked by their cases' ids."""


class Exporting(NamedTuple):
    """What was written."""

    about: BundleManifest
    gone: tuple[str, ...]
    """Sources of the cases whose picture could not be copied."""


def export(archive: Archive, folder: Path, *, format: Format = "jsonl", images: bool = False) -> Exporting:
    """Writes every case that is not removed to an empty or new folder.

    With ``images``, pictures are copied under their ids, and paths are relative to the folder; a file that is no longer
    the picture of its case is left out. Raises ``StoreError``, leaving nothing behind, if the folder is not empty, if
    ``parquet`` is not installed, or if the files cannot be written.
    """
    if format == "parquet":
        tabular.check()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is not empty: name a new folder for the export")
    try:
        with drafted(folder) as draft:
            return _write(archive, draft, format, images)
    except FileError as error:
        raise StoreError(str(error)) from None


def _write(archive: Archive, folder: Path, format: Format, images: bool) -> Exporting:
    version, parcel, known = archive.version(), parcel_of(archive), archive.encoders()
    cases, gone = _with_pictures(parcel.cases, folder) if images else (list(parcel.cases), [])
    file = f"cases.{format}"
    (tabular.write if format == "parquet" else _write_lines)(folder / file, cases)
    encoders = tuple(
        BundleEncoder(
            fingerprint=one.fingerprint, name=one.name, dim=one.dim, file=f"embeddings-{one.number}.npy",
            active=one.number == archive.encoder,
        )
        for one in known
    )  # fmt: skip
    for one in encoders:
        with (folder / one.file).open("wb") as data:  # numpy.save does not report a full disk
            rows = parcel.rows[one.fingerprint]
            np.lib.format.write_array(SimpleNamespace(write=data.write), rows, allow_pickle=False)
    sums = {name: _digest(folder / name) for name in (file, *(one.file for one in encoders))}
    about = BundleManifest(
        format=NUMBER, version=version, exported=datetime.now(UTC), cases=len(cases), file=file, encoders=encoders,
        sha256=sums,
    )  # fmt: skip
    (folder / ABOUT).write_text(about.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return Exporting(about, tuple(gone))


def _write_lines(file: Path, cases: Sequence[StoredCase]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(one.model_dump_json() + "\n" for one in cases)


def _with_pictures(cases: Sequence[StoredCase], folder: Path) -> tuple[list[StoredCase], list[str]]:
    (folder / _PICTURES).mkdir()
    copied, gone = [], []
    for one in cases:
        picture = _picture(one)
        if picture is None:
            gone.append(one.case.source or one.case.id)
            copied.append(one)
            continue
        ending = "".join(c for c in str(one.case.path and one.case.path.suffix).lower() if c.isalnum())
        name = f"{_PICTURES}/{one.case.id}.{ending}"
        (folder / name).write_bytes(picture)
        copied.append(one.model_copy(update={"case": one.case.model_copy(update={"path": Path(name)})}))
    return copied, gone


def _picture(one: StoredCase) -> bytes | None:
    """Returns the bytes of a case's picture; None if the file is missing or now holds another picture."""
    if one.case.path is None:
        return None
    try:
        data = read_bytes(one.case.path, limit=MAX_IMAGE_BYTES)
    except FileError:
        return None
    return data if hashlib.sha256(data).hexdigest() == one.case.id else None


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
