"""A portable copy of an archive's cases: plain files that any tool reads.

``cases.jsonl`` holds one case a line (or ``cases.parquet`` one a row), ``embeddings-<n>.npy`` each encoder's rows in
the same order, float32, NaN where it has none; ``about.json`` comes last and vouches for all of them. Removed cases and
the history stay behind: a backup keeps those.
"""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import AwareDatetime, ValidationError

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import FileError, StoreError
from doubleread.core.safe_files import read_bytes
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.care import tabular
from doubleread.rag.care.parcel import Parcel, parcel_of
from doubleread.rag.images import MAX_BYTES
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.rows import unit_rows

Format = Literal["jsonl", "parquet"]
ABOUT = "about.json"
NUMBER = 1
"""Of the format; a reader refuses others."""
_PICTURES = "images"


class BundleEncoder(Record):
    """An encoder's rows in a bundle."""

    fingerprint: str
    name: str
    dim: int
    file: str
    active: bool


class About(Record):
    """What ``about.json`` says."""

    format: int
    version: str
    """Of the archive when it was exported."""
    exported: AwareDatetime
    cases: int
    file: str
    encoders: tuple[BundleEncoder, ...]
    sha256: dict[str, str]
    """Of each file by its name; pictures are known by their cases' ids."""


class Bundle(NamedTuple):
    """What was read from a bundle."""

    about: About
    parcel: Parcel


class Exporting(NamedTuple):
    """What was written."""

    about: About
    gone: tuple[str, ...]
    """Sources of the cases whose picture could not be copied."""


def export(archive: Archive, folder: Path, *, format: Format = "jsonl", images: bool = False) -> Exporting:
    """Writes every case that is not removed to an empty or new folder.

    ``images``: pictures are copied beside it, under their ids, and their paths are told relative to the folder.
    Raises ``StoreError`` where the folder holds something, and where ``parquet`` is not installed.
    """
    if format == "parquet":
        tabular.check()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is not empty: name a new folder for the export")
    folder.mkdir(parents=True, exist_ok=True)
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
        np.save(folder / one.file, parcel.rows[one.fingerprint], allow_pickle=False)
    sums = {name: _digest(folder / name) for name in (file, *(one.file for one in encoders))}
    about = About(
        format=NUMBER, version=version, exported=datetime.now(UTC), cases=len(cases), file=file, encoders=encoders,
        sha256=sums,
    )  # fmt: skip
    (folder / ABOUT).write_text(about.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return Exporting(about, tuple(gone))


def read_bundle(folder: Path) -> Bundle:
    """Raises ``StoreError`` where it is no bundle, of another format, incomplete, or not as it was written."""
    about = _about(folder)
    for name, told in about.sha256.items():
        if not (folder / name).is_file():
            raise StoreError(f"{folder / name} is missing: copy the whole folder of the export")
        if _digest(folder / name) != told:
            raise StoreError(f"{folder / name} is not what was exported (its sha256 differs): copy it again")
    read = tabular.read if about.file.endswith(".parquet") else _read_lines
    cases = [_found(one, folder) for one in read(folder / about.file)]
    if len(cases) != about.cases:
        raise StoreError(f"{folder / about.file} holds {len(cases)} cases instead of {about.cases}: export it again")
    return Bundle(about, Parcel(cases, {one.fingerprint: _rows(folder, one, len(cases)) for one in about.encoders}))


def _about(folder: Path) -> About:
    file = folder / ABOUT
    if not file.is_file():
        raise StoreError(f"{folder} holds no {ABOUT}: it is no export, or one that was never finished")
    try:
        about = About.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise StoreError(f"{file} is no description of an export: {error.errors()[0]['msg']}") from None
    if about.format != NUMBER:
        raise StoreError(f"{folder} has format {about.format}; this doubleread reads {NUMBER}: use a newer one")
    named = {about.file, *(one.file for one in about.encoders)}
    if named - about.sha256.keys() or any(Path(name).name != name for name in named):
        raise StoreError(f"{file} does not vouch for every file it names: export it again")
    return about


def _rows(folder: Path, encoder: BundleEncoder, n: int) -> Embeddings:
    try:
        rows: Embeddings = np.load(folder / encoder.file, mmap_mode="r" if n else None, allow_pickle=False)
    except (ValueError, OSError) as error:
        raise StoreError(f"{folder / encoder.file} cannot be read ({error}): export it again") from None
    if rows.shape != (n, encoder.dim) or rows.dtype != np.float32:
        raise StoreError(
            f"{folder / encoder.file} has shape {rows.shape} of {rows.dtype} instead of ({n}, {encoder.dim}) of float32"
        )
    there = np.isfinite(rows).all(axis=1)
    if there.any():
        unit_rows(rows[there], encoder.dim)
    return rows


def _write_lines(file: Path, cases: Sequence[StoredCase]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(one.model_dump_json() + "\n" for one in cases)


def _read_lines(file: Path) -> list[StoredCase]:
    cases = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                cases.append(StoredCase.model_validate_json(line))
            except ValidationError as error:
                raise StoreError(f"{file} line {number} is no case: {error.errors()[0]['msg']}") from None
    return cases


def _with_pictures(cases: Sequence[StoredCase], folder: Path) -> tuple[list[StoredCase], list[str]]:
    (folder / _PICTURES).mkdir()
    copied, gone = [], []
    for one in cases:
        path, picture = one.case.path, _picture(one.case)
        if path is None or picture is None:
            gone.append(one.case.source or one.case.id)
            copied.append(one)
            continue
        name = f"{_PICTURES}/{one.case.id}{path.suffix.lower()}"
        (folder / name).write_bytes(picture)
        copied.append(one.model_copy(update={"case": one.case.model_copy(update={"path": Path(name)})}))
    return copied, gone


def _picture(case: Case) -> bytes | None:
    """The file of a case; None where it does not hold the bytes that the case's id names."""
    if case.path is None:
        return None
    try:
        data = read_bytes(case.path, limit=MAX_BYTES)
    except FileError:
        return None
    return data if hashlib.sha256(data).hexdigest() == case.id else None


def _found(one: StoredCase, folder: Path) -> StoredCase:
    """Relative paths count from the folder, and may not leave it."""
    path = one.case.path
    if path is None or path.is_absolute():
        return one
    whole = Path(os.path.normpath(folder.absolute() / path))
    if not whole.is_relative_to(folder.absolute()):
        raise StoreError(f"case {one.case.id[:12]} names the picture {path}, outside of {folder}: export it again")
    return one.model_copy(update={"case": one.case.model_copy(update={"path": whole})})


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
