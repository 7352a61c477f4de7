"""Cases taken in from an export or from another archive."""

from pathlib import Path

from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.rag.care.bundle import About
from doubleread.rag.care.parcel import Taken, parcel_of, take
from doubleread.rag.care.unbundling import read_bundle
from doubleread.rag.stores.archive import Archive, held_encoder
from doubleread.rag.stores.ledger_folder import check_folder


def import_bundle(archive: Path, folder: Path, *, theirs: bool = False, reviewer: str = "") -> Taken:
    """Takes an export in; the archive is made, with all the export's encoders, where there is none.

    Raises ``StoreError`` for what is wrong with either and ``EncoderMismatch`` where their encoders differ.
    """
    about, parcel = read_bundle(folder)
    new = check_folder(archive) or held_encoder(archive) is None
    with _begun(archive, about, folder) if new else Archive.existing(archive) as store:
        return take(store, parcel, folder.resolve().name, theirs=theirs, reviewer=reviewer)


def merge(archive: Archive, other: Archive, *, theirs: bool = False, reviewer: str = "") -> Taken:
    """Takes another archive's cases in. Raises ``EncoderMismatch``, and ``StoreError`` for an archive and itself."""
    if archive.folder == other.folder:
        raise StoreError(f"{archive.folder} was named twice: name two archives")
    return take(archive, parcel_of(other), other.folder.name, theirs=theirs, reviewer=reviewer)


def _begun(archive: Path, about: About, folder: Path) -> Archive:
    active = next((one for one in about.encoders if one.active), None)
    if active is None:
        raise EncoderMismatch(f"{folder} does not say which encoder it is searched by: export it again")
    store = Archive(archive, active.fingerprint, dim=active.dim, name=active.name, index=False)
    for one in about.encoders:
        store.vectors.encoder(one.fingerprint, one.dim, one.name)
    return store
