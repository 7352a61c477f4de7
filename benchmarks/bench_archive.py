"""What an archive of 100,000 cases costs, beside Chroma alone and beside an exact scan, in one run."""

import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import leaves
from benchmarks.figure import Figure, Skipped
from benchmarks.harness import seconds
from benchmarks.memory_use import peak
from doubleread.core.case import Case
from doubleread.core.ports import Encoder
from doubleread.core.stored import StoredCase, Wanted
from doubleread.core.types import Embeddings
from doubleread.panel.composition import open_encoder
from doubleread.rag.arrivals import IngestSource
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.case_images import Images
from doubleread.rag.ingest import ingest
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.chroma import BATCH, Chroma
from doubleread.rag.stores.contents import Contents
from doubleread.rag.view_encoder import DECODE_SIDE
from doubleread.settings import Settings

N, DIM, LABELS, PER_GROUP = 100_000, 512, 40, 8
INGESTED = 10_000
"""Rows by which the rates of ingest are compared."""
PAIRS = 3
QUERIES, K = 200, 10
PICTURES = 600
_MB = 1e6


def archive() -> Iterator[Figure]:
    """Ingest, search, class-balanced search, opening, memory and disk."""
    rng = np.random.default_rng(0)
    rows, labels = _clustered(rng, N)
    yield from _ingest(_cases(labels[:INGESTED]), rows[:INGESTED])
    folder = Path(mkdtemp(prefix="doubleread-bench-")) / "archive"
    cases = _cases(labels)
    with Archive(folder, "benchmark", dim=DIM) as store:
        store.put(cases, rows)
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    yield Figure(name="archive.disk_mb", value=disk / _MB, n=N, note="ledger and index")
    began = time.perf_counter()
    store = Archive(folder, "benchmark", dim=DIM)
    opened = time.perf_counter() - began
    store.search(rows[:1], K)
    yield Figure(name="archive.open_seconds", value=opened, n=N, target="<= 1")
    yield Figure(name="archive.first_answer_seconds", value=time.perf_counter() - began, n=N, note="opening included")
    with store:
        yield from _searches(store, rng, rows)
        yield from _balanced(store, rng, rows, labels)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as another:
        grown = another.submit(_grown, folder, rows[0]).result()
    yield Figure(
        name="archive.memory_mb", value=grown, n=N, note="memory that a process needs, at most, to open it and search"
    )
    yield from _pictures()


def _grown(folder: Path, query: Embeddings) -> float:
    """Megabytes."""
    before = peak()
    with Archive(folder, "benchmark", dim=DIM) as store:
        store.search(query[None], K)
        store.search_each(query, ["label-0"], K)
    return peak() - before


def _pictures() -> Iterator[Figure]:
    """Pictures into an archive against the encoder alone on the same pictures, decoded before, in turns."""
    try:
        cases = leaves().cases[:: len(leaves().cases) // PICTURES][:PICTURES]
    except Skipped as skipped:
        yield Figure(name="archive.picture_rate_over_encoders", skipped=str(skipped))
        return
    encoder, images = open_encoder(Settings())[1], Images()
    ready = [images.open(case, max_side=DECODE_SIDE) for case in cases]
    encoder.encode(ready[:8])
    ratios = []
    for _ in range(PAIRS):
        alone = seconds(lambda: [encoder.encode(ready[i : i + 8]) for i in range(0, len(ready), 8)])
        ratios.append(alone / seconds(partial(_ingested, cases, encoder, images)))
    note = f"median, minimum, maximum of {PAIRS} pairs; decoding, hashing and committing included"
    yield Figure.over("archive.picture_rate_over_encoders", ratios, ">= 0.8", note, by=statistics.median, n=len(cases))


def _ingested(cases: Sequence[Case], encoder: Encoder, images: Images) -> None:
    embedder = CachedEmbedder(encoder, images)
    folder = Path(mkdtemp(prefix="doubleread-bench-")) / "archive"
    with Archive(folder, encoder.fingerprint, dim=encoder.dim) as store:
        ingest(store, cases, embedder, IngestSource(origin="leaves"))
    embedder.close()


def _ingest(cases: Sequence[StoredCase], rows: Embeddings) -> Iterator[Figure]:
    """Ready embeddings into an archive against Chroma's own ``add``, in turns."""
    times = [(_alone(cases, rows), _ours(cases, rows)) for _ in range(PAIRS)]
    alone, ours = times[-1]
    ratios = [one / other for one, other in times]
    note = (
        f"median, minimum, maximum of {PAIRS} pairs; last: {len(cases) / ours:.0f} rows/s, "
        f"{len(cases) / alone:.0f} alone"
    )
    yield Figure.over("archive.ingest_rate_over_chromas", ratios, ">= 0.8", note, by=statistics.median, n=len(cases))


def _alone(cases: Sequence[StoredCase], rows: Embeddings) -> float:
    """Seconds that Chroma takes by itself, with the same metadata."""
    chroma = Chroma.folder(Path(mkdtemp(prefix="doubleread-bench-")))
    collection = chroma.collection("raw", {"of": "benchmark"})
    metadatas = [{"label": one.label, "case": one.model_dump_json()} for one in cases]
    began = time.perf_counter()
    for start in range(0, len(cases), BATCH):
        part = slice(start, start + BATCH)
        collection.add(ids=[one.case.id for one in cases[part]], embeddings=rows[part], metadatas=metadatas[part])
    taken = time.perf_counter() - began
    chroma.close()
    return taken


def _ours(cases: Sequence[StoredCase], rows: Embeddings) -> float:
    """Seconds that an archive takes, its index included."""
    with Archive(Path(mkdtemp(prefix="doubleread-bench-")) / "archive", "benchmark", dim=DIM) as store:
        return seconds(lambda: store.put(cases, rows))


def _searches(store: Archive, rng: np.random.Generator, rows: Embeddings) -> Iterator[Figure]:
    """Recall and time of plain searches, for queries like the archive's cases and for others."""
    contents = store.contents()
    near = _unit(rows[rng.integers(0, len(rows), QUERIES)] + rng.normal(0, 0.02, (QUERIES, DIM)))
    far = _unit(rng.normal(size=(QUERIES, DIM)))
    for name, queries in (("archive.recall_at_10", near), ("archive.recall_at_10_out_of_domain", far)):
        recall = [_recall(store, contents, query) for query in queries]
        yield Figure(name=name, value=float(np.mean(recall)), n=QUERIES, target=">= 0.99")
    index = store.index()
    if index is None:
        raise RuntimeError("the archive has no index")
    times = [(seconds(partial(store.search, q[None], K)), seconds(partial(index.nearest, q, K + 16))) for q in near]
    ours, chromas = (statistics.median(column) for column in zip(*times, strict=True))
    note = f"p50 {ours * 1e3:.1f} ms against {chromas * 1e3:.1f} ms"
    yield Figure(name="archive.query_over_chromas", value=ours / chromas, n=QUERIES, target="<= 2", note=note)


def _recall(store: Archive, contents: Contents, query: Embeddings) -> float:
    everything = np.ones(len(contents), bool)
    truth = {one.case_id for one in contents.nearest(query, K, everything)}
    return len(truth & {one.case_id for one in store.search(query[None], K)[0]}) / K


def _balanced(store: Archive, rng: np.random.Generator, rows: Embeddings, labels: Sequence[int]) -> Iterator[Figure]:
    """Three nearest of each of 40 labels, with tags, time and group exclusion; checked against plain numpy."""
    wanted = Wanted(tags=frozenset({"even"}), since=_day(100), until=_day(900))
    names = [f"label-{i}" for i in range(LABELS)]
    queries = _unit(rows[rng.integers(0, len(rows), 50)] + rng.normal(0, 0.02, (50, DIM)))
    codes, numbers = np.asarray(labels), np.arange(len(rows))
    open_to = (numbers % 2 == 0) & (numbers % 1000 >= 100) & (numbers % 1000 < 900)
    taken, exact = [], []
    for query in queries.astype(np.float32):
        nearest = int((rows @ query).argmax())
        group = nearest // PER_GROUP
        began = time.perf_counter()
        found = store.search_each(query, names, 3, wanted=wanted, exclude_groups=frozenset({f"group-{group}"}))
        taken.append(time.perf_counter() - began)
        allowed = open_to & (numbers // PER_GROUP != group)
        scores = np.where(allowed, rows @ query, -np.inf)
        truth = {_id(i) for label in range(LABELS) for i in _top(np.where(codes == label, scores, -np.inf))}
        exact.append(truth == {one.case_id for one in found})
    late = np.quantile(taken, 0.95) * 1e3
    note = f"{sum(exact)} of {len(exact)} as an exact scan finds them; 95th percentile {late:.0f} ms"
    value = statistics.median(taken) * 1e3
    yield Figure(name="archive.balanced_query_ms", value=value, n=len(taken), target="<= 25", note=note)


def _top(scores: Embeddings) -> list[int]:
    return [int(i) for i in np.argsort(-scores)[:3] if np.isfinite(scores[i])]


def _clustered(rng: np.random.Generator, n: int) -> tuple[Embeddings, list[int]]:
    """Unit rows around a few hundred centres of 40 labels, as the pictures of an archive lie."""
    centres = rng.normal(size=(LABELS * 10, DIM))
    which = rng.integers(0, len(centres), n)
    rows = centres[which] + rng.normal(size=(n, DIM)) * 0.8
    return _unit(rows), (which % LABELS).tolist()


def _unit(rows: NDArray[np.floating[Any]]) -> Embeddings:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _cases(labels: Sequence[int]) -> list[StoredCase]:
    return [
        StoredCase(
            case=Case(id=_id(i), label=f"label-{label}", group=f"group-{i // PER_GROUP}", source=f"{i}.jpg"),
            tags=("even",) if i % 2 == 0 else (),
            added=_day(i % 1000),
            origin="benchmark",
        )
        for i, label in enumerate(labels)
    ]


def _id(i: int) -> str:
    return sha256(str(i).encode()).hexdigest()


def _day(i: int) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=i)
