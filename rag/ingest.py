"""Bringing the labelled cases of a data set into an archive, a piece at a time.

Each piece is encoded, committed and forgotten, so that whoever is interrupted goes on where the last piece ended:
what the ledger has already is neither decoded nor encoded again.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from doubleread.core.base import Record
from doubleread.core.case import Case, RowProblem
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.arriving import Arrival, arrive
from doubleread.rag.cache import Row
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.ingested import Ingested, UnusualPicture
from doubleread.rag.near_arrivals import near_arrivals, near_rule_of
from doubleread.rag.near_copies import look_at
from doubleread.rag.perceptual_hash import in_hex
from doubleread.rag.picture_quality import UsualPictures
from doubleread.rag.stores.archive import Archive

PIECE = 500
"""Cases that are committed together."""
_TAGS = "tags"
_SEPARATOR = re.compile(r"[,;]")
Progress = Callable[[int, int], None]


class Provenance(Record):
    """Where the cases of a data set come from, who vouches for their labels, and tags for all of them."""

    origin: str
    reviewer: str = ""
    tags: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """Under this the archive keeps what the data set itself says."""
        return note_of(self.origin)

    def stored(self, case: Case) -> StoredCase:
        """A case as it would be stored; its column ``tags`` (split at commas and semicolons) becomes tags."""
        own = _SEPARATOR.split(case.metadata.get(_TAGS, ""))
        rest = {name: value for name, value in case.metadata.items() if name != _TAGS}
        return StoredCase(
            case=case.model_copy(update={"metadata": rest}),
            tags=tuple(sorted({tag.strip() for tag in (*own, *self.tags)} - {""})),
            added=datetime.now(UTC),
            origin=self.origin,
            reviewer=self.reviewer,
        )


def note_of(origin: str) -> str:
    """The note of the changes that a data set makes."""
    return f"data set {origin}"


@dataclass
class Tally:
    """Counts and problems as they come."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[RowProblem] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    """Ids of the cases that were added."""
    looks: list[tuple[Case, Row]] = field(default_factory=list)
    """Pictures that were looked at, with their statistics."""

    def problem(self, case: Case, problem: str) -> None:
        """A case that is left out."""
        self.problems.append(RowProblem(where=case.source or case.id[:12], path=case.source, problem=problem))


def ingest(
    archive: Archive,
    cases: Sequence[Case],
    embedder: CachedEmbedder,
    provenance: Provenance,
    progress: Progress = lambda _done, _total: None,
    *,
    piece: int = PIECE,
) -> Ingested:
    """Adds the new cases and rewrites the changed ones; removes nothing. ``progress(done, total)`` counts cases.

    What is there, but not encoded by the archive's encoder, is encoded. Images that cannot be read, pictures with two
    labels, and those that the archive has under another label are in ``problems``, and the rest goes on. ``piece``
    cases are committed together. Near copies are stored and told of. Raises ``StoreError``; what was committed before
    stays. Blocks.
    """
    tally = Tally()
    distinct = _distinct(cases, tally)
    progress(0, len(distinct))
    for start in range(0, len(distinct), piece):
        part = distinct[start : start + piece]
        _take(archive, part, embedder, provenance, tally, _part(progress, start, len(part), len(distinct)))
    return Ingested(
        origin=provenance.origin,
        **tally.counts,
        near_copies=_near_copies(archive, embedder, tally.new),
        unusual=tuple(_unusual(tally.looks)),
        problems=tuple(tally.problems),
        version=archive.version(),
    )


def gone(archive: Archive, origin: str, cases: Iterable[Case], problems: Iterable[RowProblem]) -> list[str]:
    """Ids of an origin's cases that its data set no longer has. A row that cannot be used now is not gone."""
    there = {case.id for case in cases}
    unread = {problem.path for problem in problems}
    return [
        one.case.id
        for one in archive.ledger.records()
        if one.origin == origin and one.case.id not in there and one.case.source not in unread
    ]


def remove(archive: Archive, provenance: Provenance, ids: Sequence[str]) -> None:
    """Removes cases in the name of their data set: it may bring them back."""
    archive.remove(ids, reviewer=provenance.reviewer, note=provenance.note)


def _distinct(cases: Sequence[Case], tally: Tally) -> list[Case]:
    """The first case of each picture; a picture with two labels is a problem in every row it stands in."""
    copies: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        copies[case.id].append(case)
    kept = []
    for same in copies.values():
        labels = {str(case.label): case.source for case in reversed(same)}
        if len(labels) > 1:
            names = ", ".join(f"{label} ({source})" for label, source in sorted(labels.items()))
            for case in same:
                tally.problem(case, f"the same picture carries the labels {names}: all copies left out")
        elif same[0].label is None:
            tally.problem(same[0], "it has no label")
        else:
            kept.append(same[0])
            tally.counts["duplicates"] += len(same) - 1
    return kept


def _take(
    archive: Archive,
    cases: Sequence[Case],
    embedder: CachedEmbedder,
    source: Provenance,
    tally: Tally,
    report: Progress,
) -> None:
    """One piece: looked up, encoded where it must be, committed."""
    rows = archive.vectors.stored_embeddings(archive.encoder, [case.id for case in cases])
    arrivals = _arrivals(archive, [source.stored(case) for case in cases], rows)
    for case, arrival in zip(cases, arrivals, strict=True):
        if arrival.problem:
            tally.problem(case, arrival.problem)
    missing = [case for case, one in zip(cases, arrivals, strict=True) if one.stored and case.id not in rows]
    rows.update(_encoded(missing, embedder, tally, report))
    ready = [one for one in arrivals if one.stored is None or one.stored.case.id in rows]
    tally.counts.update(one.fate for one in ready if not one.problem)
    tally.new |= {one.stored.case.id for one in ready if one.stored is not None and one.fate == "added"}
    _write(archive, _hashed(ready, embedder, tally), rows, source)
    report(len(missing), len(missing))


def _arrivals(archive: Archive, given: Sequence[StoredCase], encoded: Collection[str]) -> list[Arrival]:
    """What becomes of each; a case that could stay as it is, but is not among the ``encoded`` ones, is to be."""
    ids = [one.case.id for one in given]
    there = {one.case.id: one for one in archive.ledger.records(ids, removed=True)}
    told = _told(archive, there.values())
    erased = archive.past.erased(ids) - there.keys()
    found = [
        Arrival("kept") if one.case.id in erased else arrive(one, there.get(one.case.id), told.get(one.case.id))
        for one in given
    ]
    lacking = {name: one for name, one in there.items() if not one.removed and name not in encoded}
    return [
        Arrival("encoded", lacking[one.case.id])
        if one.case.id in lacking and not (arrival.stored or arrival.problem)
        else arrival
        for one, arrival in zip(given, found, strict=True)
    ]


def _told(archive: Archive, there: Iterable[StoredCase]) -> dict[str, StoredCase]:
    """What the origin of each case last said of it."""
    by_origin: dict[str, list[str]] = defaultdict(list)
    for one in there:
        by_origin[one.origin].append(one.case.id)
    found: dict[str, StoredCase] = {}
    for origin, ids in by_origin.items():
        found.update(archive.past.last_under(note_of(origin), ids))
    return found


def _encoded(cases: Sequence[Case], embedder: CachedEmbedder, tally: Tally, report: Progress) -> dict[str, Embeddings]:
    if not cases:
        return {}
    found = embedder.embed_all(cases, progress=report)
    readable = {cases[i].id for i in found.kept}
    problems = iter(found.unread)
    for case in cases:
        if case.id not in readable:
            tally.problem(case, next(problems).problem)
    return {cases[i].id: row for i, row in zip(found.kept, found.embeddings[:, 0], strict=True)}


def _hashed(arrivals: Sequence[Arrival], embedder: CachedEmbedder, tally: Tally) -> list[Arrival]:
    """The arrivals, each picture that is to be written with its perceptual hash; its statistics go into the tally."""
    bare = [one.stored for one in arrivals if one.stored is not None and not one.stored.perceptual_hash]
    looks = look_at([one.case for one in bare], embedder.images)
    tally.looks += zip((one.case for one in bare), looks.statistics, strict=True)
    found = {one.case.id: in_hex(value) for one, value in zip(bare, looks.hashes.tolist(), strict=True)}
    return [
        one
        if one.stored is None or one.stored.case.id not in found
        else one._replace(stored=one.stored.model_copy(update={"perceptual_hash": found[one.stored.case.id]}))
        for one in arrivals
    ]


def _near_copies(archive: Archive, embedder: CachedEmbedder, new: set[str]) -> tuple[tuple[str, str], ...]:
    rule = near_rule_of(archive, embedder.encoder, embedder.images) if new else None
    return () if rule is None else tuple(near_arrivals(archive, new, rule))


def _unusual(looks: Sequence[tuple[Case, Row]]) -> Iterator[UnusualPicture]:
    """The pictures that stand out among the others of their data set."""
    if not looks:
        return
    rows = np.stack([row for _, row in looks])
    usual = UsualPictures.fit(rows, [case.group for case, _ in looks])
    for (case, _), words in zip(looks, usual.names(rows), strict=True):
        if words:
            yield UnusualPicture(source=case.source or case.id[:12], signs=words)


def _write(archive: Archive, arrivals: Sequence[Arrival], rows: Mapping[str, Embeddings], source: Provenance) -> None:
    """What stands as the data set says goes under its note; what keeps a correction of the archive does not."""
    for corrected, note in ((False, source.note), (True, f"{source.note}, with corrections kept")):
        part = [one.stored for one in arrivals if one.stored is not None and one.corrected is corrected]
        if part:
            embeddings = np.stack([rows[one.case.id] for one in part])
            archive.put(part, embeddings, reviewer=source.reviewer, note=note)


def _part(progress: Progress, start: int, size: int, total: int) -> Progress:
    """Counts a piece's cases on top of those before it; the ones that need no encoding are done at once."""
    return lambda done, of: progress(start + size - of + done, total)
