"""A public data set onto this machine: every file the right one, or not there."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from doubleread.core.base import Record
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError, FileError
from doubleread.core.progress import Progress, silent
from doubleread.core.safe_files import read_bytes
from doubleread.evals.public._disk import digest
from doubleread.evals.public._download import Part, download
from doubleread.evals.public._public_dataset import SHA256, PublicDataset, PublicFile
from doubleread.evals.public._unpack import unpack

CHECKSUMS = "checksums.json"
_MAX_BYTES = 1_000_000

Basis = Literal["known", "given", "remembered", "first copy"]
"""Why a file counts as the right one."""


class FetchedFile(Record):
    """A file that is there now."""

    name: str
    size: int
    sha256: str
    basis: Basis
    was_there: bool
    unpacked: int = 0
    """Files that its archive newly gave."""


class _Wanted(Record):
    file: PublicFile
    sha256: str | None
    basis: Basis


def fetch(
    dataset: PublicDataset,
    folder: Path,
    *,
    sha256: str | None = None,
    accept_unverified: bool = False,
    report: Progress = silent,
) -> tuple[FetchedFile, ...]:
    """Brings every file of the data set into the folder, verified; what is there and right is not fetched again.

    A file whose checksum the table does not know must be ``sha256``, or what ``checksums.json`` in the folder
    remembers; with ``accept_unverified`` the first copy is believed and remembered.

    Raises ``DataError`` for a data set that is not fetched but installed or cloned, a checksum that is missing or
    does not match (nothing of the file is kept), another file in its place, and what ``download`` and ``unpack``
    raise.
    """
    if not dataset.files:
        raise DataError(f"{dataset.name} cannot be fetched file by file; get it with: {' && '.join(dataset.steps)}")
    known = remembered(folder)
    given = _assign(dataset, sha256)
    wanted = [_wanted(file, given.get(file.name), known.get(file.name)) for file in dataset.files]
    unknown = [one.file.name for one in wanted if one.sha256 is None]
    if unknown and not accept_unverified:
        raise DataError(
            f"the checksum of {', '.join(unknown)} is not known: give it with --sha256, or trust the first copy "
            "with --accept-unverified (its checksum is stored, and later copies must match it)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_bring(one, folder, report) for one in wanted)


def _assign(dataset: PublicDataset, sha256: str | None) -> dict[str, str]:
    """Which file the user's checksum is of."""
    if sha256 is None:
        return {}
    if re.fullmatch(SHA256, sha256.lower()) is None:
        raise DataError(f"--sha256 {sha256} is not valid: a sha256 has 64 hexadecimal digits")
    unknown = [file.name for file in dataset.files if file.sha256 is None]
    if len(unknown) != 1:
        reason = f"this is the case for {', '.join(unknown)}" if unknown else "all its checksums are known"
        raise DataError(
            f"--sha256 is for a data set with exactly one file without a known checksum; {dataset.name}: {reason}"
        )
    return {unknown[0]: sha256.lower()}


def _wanted(file: PublicFile, given: str | None, known: str | None) -> _Wanted:
    reasons: tuple[tuple[str | None, Basis], ...] = (
        (file.sha256, "known"),
        (given, "given"),
        (known, "remembered"),
    )
    sha256, basis = next((one for one in reasons if one[0]), (None, "first copy"))
    return _Wanted(file=file, sha256=sha256, basis=basis)


def _bring(wanted: _Wanted, folder: Path, report: Progress) -> FetchedFile:
    target = folder / wanted.file.name
    was_there = target.exists() or target.is_symlink()
    found = _in_place(wanted, target) if was_there else _download(wanted, target, report)
    if wanted.basis in ("given", "first copy"):
        remember(folder, wanted.file.name, found)
    return FetchedFile(
        name=wanted.file.name,
        size=target.stat().st_size,
        sha256=found,
        basis=wanted.basis,
        was_there=was_there,
        unpacked=unpack(target, folder) if wanted.file.unpack else 0,
    )


def _in_place(wanted: _Wanted, target: Path) -> str:
    """The checksum of the file that is there, if it is the right one."""
    found = digest(target)
    if found != wanted.sha256:
        expected = f"not {wanted.sha256}" if wanted.sha256 else "and its checksum is not known"
        raise DataError(
            f"{target} exists and is a different file (sha256 {found}, {expected}); move it away, or choose another -o"
        )
    return found


def _download(wanted: _Wanted, target: Path, report: Progress) -> str:
    part = Part(target)
    download(wanted.file, part, report)
    found = digest(part.path)
    if wanted.sha256 is not None and found != wanted.sha256:
        part.drop()
        raise DataError(
            f"{wanted.file.url} is not the expected file (sha256 {found}, {wanted.basis}: {wanted.sha256}); "
            "nothing was kept. Run the command again; if this persists, the published file has been changed"
        )
    part.complete()
    return found


class _Checksums(Record):
    """What the first copies of files were, sha256 by name, where no checksum was known."""

    sha256: dict[str, str] = Field(default_factory=dict)


def remembered(folder: Path) -> dict[str, str]:
    """The checksums that the folder remembers; raises ``DataError`` for a file that is something else."""
    path = folder / CHECKSUMS
    if not path.exists():
        return {}
    try:
        return dict(_Checksums.model_validate_json(read_bytes(path, limit=_MAX_BYTES)).sha256)
    except (FileError, ValidationError):
        raise DataError(f"{path} is not a list of checksums; move it away, or choose another -o") from None


def remember(folder: Path, name: str, sha256: str) -> None:
    """From now on the file must be this one."""
    known = _Checksums(sha256={**remembered(folder), name: sha256})
    try:
        write_text(folder / CHECKSUMS, known.model_dump_json(indent=1) + "\n")
    except FileError as error:
        raise DataError(str(error)) from None
