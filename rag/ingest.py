"""Bringing the labelled cases of a data set into an archive, a piece at a time.

Each piece is encoded, committed and forgotten, so that whoever is interrupted goes on where the last piece ended:
what the ledger has already is neither decoded nor encoded again.
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
from doubleread.rag.near_copies.copy_finder import look_at, near_arrivals, near_rule_of
from doubleread.rag.near_copies.near_duplicates import in_hex
from doubleread.rag.stores.archive import Archive

PIECE = 500
"""Cases that are committed together."""
Progress = Callable[[int, int], None]


class UnusualPicture(Record):
    """A picture that stands out among the others, and how: ``dark``, ``blurred``, ``shape``, …"""

    source: str
    signs: tuple[str, ...]


class Ingested(Record):
    """Every case of the data set is in exactly one of the counts, or in ``problems``."""

    origin: str
    added: int = 0
    changed: int = 0
    """Label, group, split, path, tags or metadata rewritten, or brought back."""
    unchanged: int = 0
    kept: int = 0
    """Relabelled, removed or erased in the archive since the data set last brought them: people's word stands."""
    duplicates: int = 0
    """Pictures that the data set holds twice, or that the archive has from another origin."""
    near_copies: tuple[tuple[str, str], ...] = ()
    """Sources of new pictures that are nearly the same as others in the archive, and of those; they were added."""
    unusual: tuple[UnusualPicture, ...] = ()
    """New pictures that are dark, blurred, flat, over-bright, tiny or oddly shaped; they were added all the same."""
    encoded: int = 0
    """There already, as they are, without an embedding of the archive's encoder: they have one now."""
    gone: int = 0
    """Cases of this origin that are no longer in the data set; only a sync counts them."""
    removed: int = 0
    """Those of them that were removed."""
    problems: tuple[RowProblem, ...] = ()
    """Rows that were left out."""
    version: str = ""
    """That of the archive afterwards."""


def ingest(
    archive: Archive,
    cases: Sequence[Case],
    embedder: CachedEmbedder,
    source: IngestSource,
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
    ingestion = _Ingestion(archive, embedder, source)
    distinct = ingestion.distinct(cases)
    progress(0, len(distinct))
    for start in range(0, len(distinct), piece):
        part = distinct[start : start + piece]
        ingestion.take(part, partial(_report, progress, start + len(part), len(distinct)))
    return ingestion.result()


def gone(archive: Archive, origin: str, cases: Iterable[Case], problems: Iterable[RowProblem]) -> list[str]:
    """Ids of an origin's cases that its data set no longer has. A row that cannot be used now is not gone."""
    there = {case.id for case in cases}
    unread = {problem.path for problem in problems}
    return [
        one.case.id
        for one in archive.ledger.records()
        if one.origin == origin and one.case.id not in there and one.case.source not in unread
    ]


def remove(archive: Archive, source: IngestSource, ids: Sequence[str]) -> None:
    """Removes cases in the name of their data set: it may bring them back."""
    archive.remove(ids, reviewer=source.reviewer, note=source.note)


class _Ingestion:
    """One run of ``ingest``, with its counts and problems so far."""

    def __init__(self, archive: Archive, embedder: CachedEmbedder, source: IngestSource) -> None:
        self._archive, self._embedder, self._source = archive, embedder, source
        self._counts, self._problems = Counter[str](), list[RowProblem]()
        self._new = set[str]()
        self._looks: list[tuple[Case, Row]] = []
        """Pictures that were looked at, with their statistics."""

    def distinct(self, cases: Sequence[Case]) -> list[Case]:
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
                    self._problem(case, f"the same picture carries the labels {names}: all copies left out")
            elif same[0].label is None:
                self._problem(same[0], "it has no label")
            else:
                kept.append(same[0])
                self._counts["duplicates"] += len(same) - 1
        return kept

    def take(self, cases: Sequence[Case], report: Progress) -> None:
        """One piece: looked up, encoded where it must be, committed."""
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
        """What the run did."""
        archive, embedder = self._archive, self._embedder
        rule = near_rule_of(archive, embedder.encoder, embedder.images) if self._new else None
        return Ingested(
            origin=self._source.origin,
            **self._counts,
            near_copies=() if rule is None else tuple(near_arrivals(archive, self._new, rule)),
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
        """The arrivals, each picture that is to be written with its perceptual hash."""
        bare = [one.stored for one in arrivals if one.stored is not None and not one.stored.perceptual_hash]
        looks = look_at([one.case for one in bare], self._embedder.images)
        self._looks += zip((one.case for one in bare), looks.statistics, strict=True)
        found = {one.case.id: in_hex(value) for one, value in zip(bare, looks.hashes.tolist(), strict=True)}
        return [
            one
            if one.stored is None or one.stored.case.id not in found
            else one._replace(stored=one.stored.model_copy(update={"perceptual_hash": found[one.stored.case.id]}))
            for one in arrivals
        ]

    def _write(self, arrivals: Sequence[Arrival], rows: Mapping[str, Embeddings]) -> None:
        """What stands as the data set says goes under its note; what keeps a correction of the archive does not."""
        source = self._source
        for corrected, note in ((False, source.note), (True, f"{source.note}, with corrections kept")):
            part = [one.stored for one in arrivals if one.stored is not None and one.corrected is corrected]
            if part:
                embeddings = np.stack([rows[one.case.id] for one in part])
                self._archive.put(part, embeddings, reviewer=source.reviewer, note=note)


def _unusual(looks: Sequence[tuple[Case, Row]]) -> Iterator[UnusualPicture]:
    """The pictures that stand out among the others of their data set."""
    if not looks:
        return
    rows = np.stack([row for _, row in looks])
    usual = UsualPictures.fit(rows, [case.group for case, _ in looks])
    for (case, _), words in zip(looks, usual.names(rows), strict=True):
        if words:
            yield UnusualPicture(source=case.source or case.id[:12], signs=words)


def _report(progress: Progress, end: int, total: int, done: int, of: int) -> None:
    """Counts a piece's cases on top of those before it; the ones that need no encoding are done at once."""
    progress(end - of + done, total)
