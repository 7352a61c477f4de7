"""Changes the encoder of an archive: new embeddings are added beside the old ones and used once complete."""

from collections.abc import Callable, Sequence

from doubleread.core.case import Case
from doubleread.core.errors import StoreError
from doubleread.core.verdict import Unread
from doubleread.rag.bulk_embedding import EmbeddedCases
from doubleread.rag.stores.archive import ACTIVE, INDEXES, Archive
from doubleread.rag.stores.ledger_embeddings import EncoderRow
from doubleread.rag.stores.ledger_folder import wipe_index
from doubleread.rag.stores.stored_rows import unit_rows

_AT_ONCE = 256
"""Cases per transaction, which is the most that an interruption can lose."""


def reencode(
    archive: Archive,
    encoder: int,
    dim: int,
    embed: Callable[[Sequence[Case]], EmbeddedCases],
    progress: Callable[[int, int], None],
) -> list[Unread]:
    """Encodes the cases that an encoder lacks and resumes after an interruption.

    Returns the cases whose picture cannot be read. ``progress(done, total)`` counts all cases.
    """
    missing = [one.case for one in archive.vectors.without_embedding(encoder)]
    total = archive.ledger.count()
    unread: list[Unread] = []
    for start in range(0, len(missing), _AT_ONCE):
        progress(total - len(missing) + start, total)
        part = missing[start : start + _AT_ONCE]
        found = embed(part)
        if found.kept:
            rows = unit_rows(found.embeddings[:, 0], dim)
            archive.vectors.embed(encoder, [part[i].id for i in found.kept], rows)
        unread += found.unread
    progress(total, total)
    return unread


def named_encoder(archive: Archive, name: str) -> EncoderRow:
    """Returns the encoder with a fingerprint or an unambiguous name. Raises ``StoreError``."""
    known = archive.encoders()
    found = [one for one in known if one.fingerprint == name] or [one for one in known if name and one.name == name]
    if len(found) == 1:
        return found[0]
    held = ", ".join(f"{one.fingerprint} ({one.name})" if one.name else one.fingerprint for one in known)
    problem = "several encoders are named" if found else "no encoder of the archive is"
    raise StoreError(f"{problem} {name!r}; it holds {held}: give a fingerprint")


def use(archive: Archive, encoder: EncoderRow, *, partial: bool = False) -> int:
    """Makes an encoder the active one from the next opening on; returns the number of cases it has not encoded.

    Raises ``StoreError`` if there are such cases, unless ``partial``: then they are not found until encoded.
    """
    lacking = len(archive.vectors.without_embedding(encoder.number))
    if lacking and not partial:
        raise StoreError(
            f"{lacking} of {archive.ledger.count()} cases have no embedding of {encoder.fingerprint} yet: run "
            "`doubleread cases reencode` with that encoder to the end, or switch with --partial and do not find them"
        )
    archive.file.tell(ACTIVE, encoder.fingerprint)
    return lacking


def forget(archive: Archive, encoder: EncoderRow) -> None:
    """Deletes an encoder with its embeddings and index. Raises ``StoreError`` for the active encoder."""
    if encoder.number == archive.encoder:
        raise StoreError(f"{encoder.fingerprint} is in use: switch to another with `doubleread cases use` first")
    if not wipe_index(archive.folder / INDEXES / str(encoder.number)):
        raise StoreError(f"another process searches by {encoder.fingerprint}: end it and try again")
    archive.vectors.drop_encoder(encoder.number)
    archive.file.shrink(f"{encoder.fingerprint} is forgotten, its embeddings are deleted")
