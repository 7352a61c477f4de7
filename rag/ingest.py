"""Adds the labelled cases of a data set to an archive, one piece at a time.

Each piece is encoded and committed on its own, so that an interrupted run resumes after the last piece: cases that the
archive already has are neither decoded nor encoded again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from doubleread.core.base import Record
from doubleread.core.case import Case, RowProblem
from doubleread.core.types import Embeddings
from doubleread.rag.arrivals import Arrival, IngestSource, arrivals_of
from doubleread.rag.cache import Row
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.picture_quality import UsualPictures
from doubleread.rag.near_copies.copy_finder import look_at, near_arrivals
from doubleread.rag.near_copies.near_duplicates import in_hex
from doubleread.rag.near_copies.thumbnails import Thumbnails
from doubleread.rag.stores.archive import Archive

PIECE = 500
"""Cases that are committed together."""
Progress = Callable[[int, int], None]


class UnusualPicture(Record):
    """A picture that differs from the others, and how: ``dark``, ``blurred``, ``shape``, …"""

    source: str
    signs: tuple[str, ...]


class Ingested(Record):
    """Result of ``ingest``. Every case of the data set is in exactly one of the counts, or in ``problems``."""

    origin: str
    added: int = 0
    changed: int = 0
    """Cases restored, or with a new label, group, split, path, tags or metadata."""
    unchanged: int = 0
    kept: int = 0
    """Cases relabelled, removed or erased in the archive since the last ingestion; a person's correction stays."""
    duplicates: int = 0
    """Pictures that occur twice in the data set, or that the archive has from another origin."""
    near_copies: tuple[tuple[str, str], ...] = ()
    """Pairs of sources: a new picture, which was added, and its near copy in the archive."""
    unusual: tuple[UnusualPicture, ...] = ()
    """New pictures that are dark, blurred, flat, over-bright, tiny or oddly shaped; they were added."""
    encoded: int = 0
    """Unchanged cases that lacked an embedding of the archive's encoder and now have one."""
    gone: int = 0
    """Cases of this origin that are no longer in the data set; counted by a sync only."""
    removed: int = 0
    """Those of the ``gone`` cases that were removed."""
    problems: tuple[RowProblem, ...] = ()
    """Rows that were left out."""
    version: str = ""
    """Version of the archive afterwards."""


def ingest(
    archive: Archive,
    cases: Sequence[Case],
    embedder: CachedEmbedder,
    source: IngestSource,
    progress: Progress = lambda _done, _total: None,
    *,
    piece: int = PIECE,
) -> Ingested:
    """Adds new cases and updates changed ones; removes nothing. ``progress(done, total)`` counts cases. Blocks.

    Stored cases that the archive's encoder has not encoded are encoded. Unreadable images, pictures with two labels,
    and pictures that the archive has under another label are in ``problems``; the rest is added, including near copies,
    which are reported. ``piece`` cases are committed together. Raises ``StoreError``; what was committed before stays.
    """
    ingestion = _Ingestion(archive, embedder, source)
    distinct = ingestion.distinct(cases)
    progress(0, len(distinct))
    for start in range(0, len(distinct), piece):
        part = distinct[start : start + piece]
        ingestion.take(part, partial(_report, progress, start + len(part), len(distinct)))
    return ingestion.result()


def gone(archive: Archive, origin: str, cases: Iterable[Case], problems: Iterable[RowProblem]) -> list[str]:
    """Returns ids of an origin's cases that its data set no longer has. A row with a problem is not gone."""
    there = {case.id for case in cases}
    unread = {problem.path for problem in problems}
    return [
        one.case.id
        for one in archive.ledger.records()
        if one.origin == origin and one.case.id not in there and one.case.source not in unread
    ]


def remove(archive: Archive, source: IngestSource, ids: Sequence[str]) -> None:
    """Removes cases on behalf of their data set, which may restore them later."""
    archive.remove(ids, reviewer=source.reviewer, note=source.note)


class _Ingestion:
    """State of one run of ``ingest``: its counts and problems."""

    def __init__(self, archive: Archive, embedder: CachedEmbedder, source: IngestSource) -> None:
        self._archive, self._embedder, self._source = archive, embedder, source
        self._counts, self._problems = Counter[str](), list[RowProblem]()
        self._new = set[str]()
        self._thumbnails = Thumbnails(embedder.images)
        self._looks: list[tuple[Case, Row]] = []
        """New pictures with their statistics."""

    def distinct(self, cases: Sequence[Case]) -> list[Case]:
        """Returns the first case of each picture; all rows of a picture with two labels are problems."""
        copies: dict[str, list[Case]] = defaultdict(list)
        for case in cases:
            copies[case.id].append(case)
        kept = []
        for same in copies.values():
            labels = {str(case.label): case.source for case in reversed(same)}
            if len(labels) > 1:
                names = ", ".join(f"{label} ({source})" for label, source in sorted(labels.items()))
                for case in same:
                    self._problem(case, f"the same picture carries the labels {names}: all copies left out")
            elif same[0].label is None:
                self._problem(same[0], "it has no label")
            else:
                kept.append(same[0])
                self._counts["duplicates"] += len(same) - 1
        return kept

    def take(self, cases: Sequence[Case], report: Progress) -> None:
        """Looks up, encodes where necessary, and commits one piece."""
        archive = self._archive
        rows = archive.vectors.stored_embeddings(archive.encoder, [case.id for case in cases])
        arrivals = arrivals_of(archive, [self._source.stored(case) for case in cases], rows)
        for case, arrival in zip(cases, arrivals, strict=True):
            if arrival.problem:
                self._problem(case, arrival.problem)
        missing = [case for case, one in zip(cases, arrivals, strict=True) if one.stored and case.id not in rows]
        rows.update(self._encoded(missing, report))
        ready = [one for one in arrivals if one.stored is None or one.stored.case.id in rows]
        self._counts.update(one.fate for one in ready if not one.problem)
        self._new |= {one.stored.case.id for one in ready if one.stored is not None and one.fate == "added"}
        self._write(self._hashed(ready), rows)
        report(len(missing), len(missing))

    def result(self) -> Ingested:
        """Returns the counts and problems."""
        archive = self._archive
        return Ingested(
            origin=self._source.origin,
            **self._counts,
            near_copies=tuple(near_arrivals(archive, self._new, self._thumbnails)) if self._new else (),
            unusual=tuple(_unusual(self._looks)),
            problems=tuple(self._problems),
            version=archive.version(),
        )

    def _problem(self, case: Case, problem: str) -> None:
        self._problems.append(RowProblem(where=case.source or case.id[:12], path=case.source, problem=problem))

    def _encoded(self, cases: Sequence[Case], report: Progress) -> dict[str, Embeddings]:
        if not cases:
            return {}
        found = self._embedder.embed_all(cases, progress=report)
        readable = {cases[i].id for i in found.kept}
        problems = iter(found.unread)
        for case in cases:
            if case.id not in readable:
                self._problem(case, next(problems).problem)
        return {cases[i].id: row for i, row in zip(found.kept, found.embeddings[:, 0], strict=True)}

    def _hashed(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Returns the arrivals, with a perceptual hash for each picture that is to be written."""
        bare = [one.stored for one in arrivals if one.stored is not None and not one.stored.perceptual_hash]
        looks = look_at([one.case for one in bare], self._embedder.images, thumbnails=self._thumbnails)
        self._looks += zip((one.case for one in bare), looks.statistics, strict=True)
        found = {one.case.id: in_hex(value) for one, value in zip(bare, looks.hashes.tolist(), strict=True)}
        return [
            one
            if one.stored is None or one.stored.case.id not in found
            else one._replace(stored=one.stored.model_copy(update={"perceptual_hash": found[one.stored.case.id]}))
            for one in arrivals
        ]

    def _write(self, arrivals: Sequence[Arrival], rows: Mapping[str, Embeddings]) -> None:
        """Writes cases; a case that keeps a correction of the archive is not recorded under the data set's note."""
        source = self._source
        for corrected, note in ((False, source.note), (True, f"{source.note}, with corrections kept")):
            part = [one.stored for one in arrivals if one.stored is not None and one.corrected is corrected]
            if part:
                embeddings = np.stack([rows[one.case.id] for one in part])
                self._archive.put(part, embeddings, reviewer=source.reviewer, note=note)


def _unusual(looks: Sequence[tuple[Case, Row]]) -> Iterator[UnusualPicture]:
    """Yields the pictures that are unusual in their data set."""
    if not looks:
        return
    rows = np.stack([row for _, row in looks])
    usual = UsualPictures.fit(rows, [case.group for case, _ in looks])
    for (case, _), words in zip(looks, usual.names(rows), strict=True):
        if words:
            yield UnusualPicture(source=case.source or case.id[:12], signs=words)


def _report(progress: Progress, end: int, total: int, done: int, of: int) -> None:
    """Reports progress over all pieces; cases that need no encoding count as done at once."""
    progress(end - of + done, total)
