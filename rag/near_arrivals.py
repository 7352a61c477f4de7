"""Whether pictures that came into an archive are nearly the same as others in it."""

from collections.abc import Collection

import numpy as np

from doubleread.core.base import Record
from doubleread.core.ports import Encoder, ImageSource
from doubleread.rag.near_copies import Pictures, measure_rule
from doubleread.rag.near_duplicates import near_copies_between
from doubleread.rag.near_rule import NearRule
from doubleread.rag.stores.archive import Archive

_SAMPLE = 1000


class _Kept(Record):
    """A rule, and how many cases there were when it was measured."""

    n: int
    rule: NearRule


def near_rule_of(archive: Archive, encoder: Encoder, images: ImageSource) -> NearRule | None:
    """When pictures are near copies by the archive's encoder: measured once, and again when the archive has doubled.

    None for an archive without pictures. Raises ``ImageError`` where one can no longer be read.
    """
    key, contents = f"near copies by {archive.fingerprint}", archive.contents()
    told = archive.file.about(key)
    kept = _kept(told)
    if kept is not None and len(contents) < 2 * kept.n:
        return kept.rule
    hashed = np.flatnonzero(contents.columns.hashed)
    if not len(hashed):
        return None
    rows = hashed[np.linspace(0, len(hashed) - 1, min(_SAMPLE, len(hashed))).round().astype(int)]
    cases = tuple(one.case for one in archive.get([contents.rows[i].id for i in rows.tolist()]))
    pictures = Pictures(cases, contents.embeddings[rows], contents.columns.hashes[rows])
    rule = measure_rule(pictures, encoder, images)
    archive.file.tell(key, _Kept(n=len(contents), rule=rule).model_dump_json())
    return rule


def _kept(told: str | None) -> _Kept | None:
    """What was measured before; None where nothing was, or it cannot be read."""
    try:
        return None if told is None else _Kept.model_validate_json(told)
    except ValueError:
        return None


def near_arrivals(archive: Archive, arrived: Collection[str], rule: NearRule) -> list[tuple[str, str]]:
    """Sources of the cases with these ids that are near copies of others in the archive, and of those others."""
    contents = archive.contents()
    hashed = np.flatnonzero(contents.columns.hashed)
    new = np.array([i for i in hashed.tolist() if contents.rows[i].id in arrived], np.intp)
    rows, hashes = contents.embeddings, contents.columns.hashes
    pairs = near_copies_between(rows[new], hashes[new], rows[hashed], hashes[hashed], rule)
    found = {(int(new[i]), int(hashed[j])) for i, j in pairs}
    once = {(i, j) for i, j in found if i != j and not (i < j and (j, i) in found)}
    return sorted((contents.rows[i].source, contents.rows[j].source) for i, j in once)
