"""Whether an archive is what it says it is: the chain of its changes, its own copies of them, its embeddings."""

from collections.abc import Iterator

import numpy as np

from doubleread.core.stored import StoredCase
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.chain import START, chained
from doubleread.rag.stores.contents import Row
from doubleread.rag.stores.ledger_embeddings import EncoderRow

_AT_ONCE = 5000
_UNIT = 1e-3
"""How far a row's length may be from 1."""


def audit(archive: Archive) -> list[str]:
    """Everything that is wrong, in words; nothing if all is well. Reads the whole file."""
    found = list(_chain(archive))
    found += _snapshots(archive)
    found += _copies(archive)
    for encoder in archive.encoders():
        found += _embeddings(archive, encoder)
    return found


def _chain(archive: Archive) -> Iterator[str]:
    """The whole chain recomputed up to the first change that does not fit, and records that are lost."""
    digest = START
    for *values, told in archive.file.ask("select * from changes order by seq"):
        seq, _, what, one, _, _, record = values
        if chained(digest, values) != told and (record is not None or what == "erased"):
            yield f"the archive {archive.folder} was altered from outside: change {seq} ({what} {one[:12]})"
            break
        digest = told
    wiped = (
        "select seq, what, id from changes c where record is null and what != 'erased' and not exists "
        "(select 1 from changes e where e.id = c.id and e.what = 'erased' and e.seq > c.seq) order by seq"
    )
    for seq, what, one in archive.file.ask(wiped):
        yield f"change {seq} ({what} {one[:12]}) lost its record although the case was not erased"


def _snapshots(archive: Archive) -> Iterator[str]:
    query = (
        "select s.name from snapshots s left join changes c on c.seq = s.seq "
        "where s.seq > 0 and c.digest is not s.digest order by s.name"
    )
    for (name,) in archive.file.ask(query):
        yield f"snapshot {name!r} names a state that the archive never had"


def _copies(archive: Archive) -> Iterator[str]:
    """What searches read must be what the changes say."""
    query = (
        "select c.id, c.label, c.grp, c.split, c.source, c.path, c.removed, h.record from cases c "
        "left join changes h on h.seq = c.seq and h.id = c.id order by c.id"
    )
    for one, label, group, split, source, path, removed, record in archive.file.ask(query):
        if record is None:
            yield f"case {one[:12]} has no change that tells of it"
            continue
        stored = StoredCase.model_validate_json(record)
        told = Row.of(stored)
        if (label, group, split, source, path, bool(removed)) != (*told[1:6], stored.removed):
            yield f"case {one[:12]} is searched as {label!r}, group {group!r}, and its last change says otherwise"


def _embeddings(archive: Archive, encoder: EncoderRow) -> Iterator[str]:
    size, stamp = encoder.dim * 4, 0
    while True:
        rows = archive.file.ask(
            "select stamp, id, row, (select 1 from cases c where c.id = e.id) from embeddings e "
            "not indexed where encoder = ? and stamp > ? order by stamp limit ?",
            [encoder.number, stamp, _AT_ONCE],
        )
        if not rows:
            return
        stamp = rows[-1][0]
        whole = [row for row in rows if len(row[2]) == size]
        values = np.frombuffer(b"".join(row[2] for row in whole), np.float32).reshape(-1, encoder.dim)
        lengths = np.linalg.norm(values.astype(float), axis=1)
        bad = {row[1] for row, length in zip(whole, lengths, strict=True) if not abs(length - 1) <= _UNIT}
        for _, one, row, there in rows:
            who = f"the embedding of case {one[:12]} by {encoder.fingerprint}"
            if len(row) != size:
                yield f"{who} has {len(row)} bytes instead of {size}"
            elif one in bad:
                yield f"{who} is not finite or not of length 1"
            if not there:
                yield f"{who} belongs to no case"
