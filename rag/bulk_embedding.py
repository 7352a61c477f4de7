"""Encodes many cases: images are decoded ahead of the encoder, and embeddings are cached batch by batch."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.verdict import Unread
from doubleread.rag.cache import Key, Row
from doubleread.rag.view_encoder import ViewEncoder

_WORKERS = 4
_Opened = tuple[Case, list[Image.Image] | ImageError]


@dataclass(frozen=True)
class EmbeddedCases:
    """The embeddings of many cases."""

    embeddings: NDArray[np.float32]
    """Shape ``(len(kept), len(views), dim)``, unit-length rows."""
    kept: tuple[int, ...]
    """Index of each row's case among the cases given."""
    unread: tuple[Unread, ...]
    """The cases whose image could not be read, with the reason."""


def embed_cases(
    encoder: ViewEncoder, cases: Sequence[Case], views: Sequence[str], progress: Callable[[int, int], None]
) -> EmbeddedCases:
    """Embeds views of many cases; unreadable images are in the result. ``progress(done, total)`` counts cases."""
    unique = {case.id: case for case in cases}
    rows = encoder.known([(case_id, name) for case_id in unique for name in views])
    missing = [case for case in unique.values() if any((case.id, name) not in rows for name in views)]
    problems: dict[str, ImageError] = {}
    progress(len(unique) - len(missing), len(unique))
    for done, new, failed in _encoded(encoder, missing, views):
        rows.update(new)
        problems.update(failed)
        progress(len(unique) - len(missing) + done, len(unique))
    return _collected(cases, views, rows, problems, encoder.encoder.dim)


def _encoded(
    encoder: ViewEncoder, cases: Sequence[Case], views: Sequence[str]
) -> Iterator[tuple[int, dict[Key, Row], dict[str, ImageError]]]:
    """Yields the number of cases done, the new rows and the failures, batch by batch."""
    size = max(1, encoder.batch // len(views))
    decoded = _decoded(encoder, cases, views)
    for start in range(0, len(cases), size):
        group = [next(decoded) for _ in cases[start : start + size]]
        failed = {case.id: found for case, found in group if isinstance(found, ImageError)}
        read = [(case, found) for case, found in group if not isinstance(found, ImageError)]
        keys = [(case.id, name) for case, _ in read for name in views]
        yield start + len(group), encoder.encode(keys, [image for _, found in read for image in found]), failed


def _decoded(encoder: ViewEncoder, cases: Sequence[Case], views: Sequence[str]) -> Iterator[_Opened]:
    """Yields every case with its images or its error, in order, decoded ahead of use."""

    def opened(case: Case) -> _Opened:
        try:
            return case, encoder.open(case, views)
        except ImageError as error:
            return case, error

    ahead: deque[Future[_Opened]] = deque()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="doubleread-decode") as pool:
        try:
            for case in cases:
                ahead.append(pool.submit(opened, case))
                if len(ahead) > 2 * encoder.batch:
                    yield ahead.popleft().result()
            for future in ahead:
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _collected(
    cases: Sequence[Case], views: Sequence[str], rows: dict[Key, Row], problems: dict[str, ImageError], dim: int
) -> EmbeddedCases:
    kept = tuple(i for i, case in enumerate(cases) if case.id not in problems)
    embeddings = np.zeros((len(kept), len(views), dim), np.float32)
    for row, i in enumerate(kept):
        for column, name in enumerate(views):
            embeddings[row, column] = rows[cases[i].id, name]
    unread = (
        Unread(source=case.source or case.id, code=problems[case.id].code, problem=str(problems[case.id]))
        for case in cases
        if case.id in problems
    )
    return EmbeddedCases(embeddings, kept, tuple(unread))
