"""Reads an export. Its source is not trusted: everything is checked before anything is stored."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError

from doubleread.core.errors import EncoderMismatch, FileError, StoreError
from doubleread.core.safe_files import (
    MAX_ARRAY_BYTES,
    MAX_BYTES,
    check_json,
    inside,
    open_regular,
    read_bytes,
    read_json_lines,
)  # fmt: skip
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.care import tabular
from doubleread.rag.care.bundle import ABOUT, NUMBER, BundleEncoder, BundleManifest
from doubleread.rag.care.parcel import Parcel, Taken, take
from doubleread.rag.stores.archive import Archive, held_encoder
from doubleread.rag.stores.ledger_folder import check_folder
from doubleread.rag.stores.stored_rows import unit_rows

_ABOUT_BYTES = 10_000_000
_NOISE = 1e-5
"""Rows whose length differs from 1 by less are kept unchanged."""


class Bundle(NamedTuple):
    """The contents of a bundle."""

    about: BundleManifest
    parcel: Parcel


def read_bundle(folder: Path) -> Bundle:
    """Reads a bundle. Raises ``StoreError`` if it is missing, incomplete, altered or of another format."""
    try:
        return _read(folder)
    except FileError as error:
        raise StoreError(f"{error}: copy the whole folder of the export, or export it again") from None


def _read(folder: Path) -> Bundle:
    about = _about(folder)
    for name, told in about.sha256.items():
        if _digest(inside(folder, name)) != told:
            raise StoreError(f"{folder / name} is not what was exported (its sha256 differs): copy it again")
    read = tabular.read if about.file.endswith(".parquet") else _read_lines
    cases = [_found(_checked(one, folder / about.file), folder) for one in read(folder / about.file)]
    if len(cases) != about.cases:
        raise StoreError(f"{folder / about.file} holds {len(cases)} cases instead of {about.cases}: export it again")
    return Bundle(about, Parcel(cases, {one.fingerprint: _rows(folder, one, len(cases)) for one in about.encoders}))


def _about(folder: Path) -> BundleManifest:
    file = folder / ABOUT
    if not file.exists():
        raise StoreError(f"{folder} holds no {ABOUT}: it is no export, or one that was never finished")
    data = read_bytes(file, limit=_ABOUT_BYTES)
    check_json(data, file)
    try:
        about = BundleManifest.model_validate_json(data)
    except ValidationError as error:
        raise StoreError(f"{file} is no description of an export: {error.errors()[0]['msg']}") from None
    if about.format != NUMBER:
        raise StoreError(f"{folder} has format {about.format}; this doubleread reads {NUMBER}: use a newer one")
    named = {about.file, *(one.file for one in about.encoders)}
    if named != about.sha256.keys() or any(Path(name).name != name for name in named):
        raise StoreError(f"{file} does not vouch for every file it names, or for others: export it again")
    if len({one.fingerprint for one in about.encoders}) < len(about.encoders):
        raise StoreError(f"{file} names an encoder twice: export it again")
    return about


def _rows(folder: Path, encoder: BundleEncoder, n: int) -> Embeddings:
    """Returns unit-length rows, NaN where there is none; the shape is checked before memory is allocated."""
    from numpy.lib import format as npy  # noqa: PLC0415 - not part of numpy's top level

    file = inside(folder, encoder.file)
    with open_regular(file) as data:
        try:
            version = npy.read_magic(data)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = header(data)
        except (ValueError, EOFError, OSError, SyntaxError) as error:
            raise StoreError(f"{file} cannot be read ({' '.join(str(error).split())[:200]}): export it again") from None
        if shape != (n, encoder.dim) or dtype != np.float32 or fortran:
            raise StoreError(
                f"{file} has shape {shape} of {dtype} instead of ({n}, {encoder.dim}) of float32: export it again"
            )
        values = data.read(4 * n * encoder.dim + 1)
    if len(values) != 4 * n * encoder.dim:
        raise StoreError(f"{file} holds other than the {n} rows it declares: export it again")
    rows: Embeddings = np.frombuffer(values, np.float32).reshape(n, encoder.dim).copy()
    there = np.isfinite(rows).all(axis=1)
    try:
        units = unit_rows(rows[there], encoder.dim)
    except StoreError as error:
        raise StoreError(f"{file}: {error}") from None
    off = np.abs(units - rows[there]).max(axis=1, initial=0.0) > _NOISE
    rows[np.flatnonzero(there)[off]] = units[off]
    return rows


def _read_lines(file: Path) -> list[StoredCase]:
    cases = []
    for number, line in read_json_lines(file):
        try:
            cases.append(StoredCase.model_validate_json(line))
        except ValidationError as error:
            raise StoreError(f"{file} line {number} is no case: {error.errors()[0]['msg']}") from None
    return cases


def _checked(one: StoredCase, file: Path) -> StoredCase:
    if one.removed or not (one.case.label or "").strip():
        why = "is removed" if one.removed else "has no label"
        raise StoreError(f"{file}: case {one.case.id[:12]} {why}, which no export holds: export it again")
    return one


def _found(one: StoredCase, folder: Path) -> StoredCase:
    """Resolves relative paths, which must stay in the folder, and checks that the file is the case's picture."""
    path = one.case.path
    if path is None or path.is_absolute():
        return one
    try:
        whole = inside(folder.absolute(), path.as_posix())
    except FileError:
        raise StoreError(
            f"case {one.case.id[:12]} names the picture {path}, outside of {folder}: export it again"
        ) from None
    if os.path.lexists(whole) and hashlib.sha256(read_bytes(whole)).hexdigest() != one.case.id:
        raise StoreError(f"{whole} is not the picture of case {one.case.id[:12]} (its sha256 differs): copy it again")
    return one.model_copy(update={"case": one.case.model_copy(update={"path": whole})})


def _digest(file: Path) -> str:
    limit = MAX_ARRAY_BYTES if file.suffix == ".npy" else MAX_BYTES
    with open_regular(file) as data:
        if (size := os.fstat(data.fileno()).st_size) > limit:
            raise FileError(f"{file} has {size:,} bytes; at most {limit:,} are read")
        digest = hashlib.sha256()
        while chunk := data.read(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()


def import_bundle(archive: Path, folder: Path, *, theirs: bool = False, reviewer: str = "") -> Taken:
    """Adds the cases of an export to an archive, which is created with all the export's encoders if there is none.

    Raises ``StoreError`` for a fault in either and ``EncoderMismatch`` if their encoders differ.
    """
    about, parcel = read_bundle(folder)
    new = check_folder(archive) or held_encoder(archive) is None
    with _begun(archive, about, folder) if new else Archive.existing(archive) as store:
        return take(store, parcel, folder.resolve().name, theirs=theirs, reviewer=reviewer)


def _begun(archive: Path, about: BundleManifest, folder: Path) -> Archive:
    active = next((one for one in about.encoders if one.active), None)
    if active is None:
        raise EncoderMismatch(f"{folder} does not say which encoder it is searched by: export it again")
    store = Archive(archive, active.fingerprint, dim=active.dim, name=active.name, index=False)
    for one in about.encoders:
        store.vectors.encoder(one.fingerprint, one.dim, one.name)
    return store
