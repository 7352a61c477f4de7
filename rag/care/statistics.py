"""Statistics of an archive, and a two-dimensional map of its cases."""

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.types import Embeddings, Matrix
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.contents import Contents

_ASKED = 2000
_AT_ONCE = 256
_DIMENSIONS = 50
_PERPLEXITY = 30.0
_FEWEST = 5
"""With fewer cases, the map is the first two principal components: t-SNE needs neighbourhoods."""


class LabelStatistics(Record):
    """Statistics of the cases of one label."""

    label: str
    cases: int
    share: float
    """Share of all cases, 0 to 1."""
    groups: int
    """Number of groups; a case without a group counts as its own group."""
    removed: int
    asked: int
    """Cases whose nearest case outside their own group was searched."""
    agreeing: int
    """Those whose nearest case has the same label."""


class EncoderStatistics(Record):
    """Statistics of one encoder's embeddings."""

    fingerprint: str
    name: str
    dim: int
    cases: int
    """Number of encoded cases that are not removed."""
    active: bool


class ArchiveStatistics(Record):
    """Statistics of the whole archive."""

    version: str
    cases: int
    removed: int
    changes: int
    bytes: int
    """Size on disk, with the index."""
    labels: tuple[LabelStatistics, ...]
    encoders: tuple[EncoderStatistics, ...]


def statistics(archive: Archive) -> ArchiveStatistics:
    """Counts cases per label and encoder; nearest neighbours are searched for at most 2,000 random cases."""
    agreement = _agreement(archive.contents())
    found = archive.file.ask(
        "select label, sum(not removed), count(distinct case when not removed then grp end) + "
        "sum(not removed and grp is null), sum(removed) from cases group by label order by label"
    )
    total = sum(cases for _, cases, _, _ in found)
    labels = [
        LabelStatistics(
            label=label, cases=cases, share=cases / total if total else 0.0, groups=groups, removed=removed,
            asked=agreement.get(label, (0, 0))[0], agreeing=agreement.get(label, (0, 0))[1],
        )
        for label, cases, groups, removed in found
    ]  # fmt: skip
    return ArchiveStatistics(
        version=archive.version(),
        cases=total,
        removed=sum(one.removed for one in labels),
        changes=archive.file.version().seq,
        bytes=sum(file.stat().st_size for file in archive.folder.rglob("*") if file.is_file()),
        labels=tuple(labels),
        encoders=encoder_statistics(archive),
    )


def encoder_statistics(archive: Archive) -> tuple[EncoderStatistics, ...]:
    """Returns the statistics of every encoder."""
    counts = dict(
        archive.file.ask(
            "select e.encoder, count(*) from embeddings e join cases c on c.id = e.id "
            "where not c.removed group by e.encoder"
        )
    )
    return tuple(
        EncoderStatistics(
            fingerprint=one.fingerprint, name=one.name, dim=one.dim, cases=counts.get(one.number, 0),
            active=one.number == archive.encoder,
        )
        for one in archive.encoders()
    )  # fmt: skip


def _agreement(contents: Contents) -> dict[str, tuple[int, int]]:
    """Returns by label the numbers of cases searched, and of those whose nearest case of another group agrees."""
    n = len(contents)
    asked = np.sort(np.random.default_rng(0).permutation(n)[:_ASKED])
    labels = np.array([row.label for row in contents.rows], dtype=np.str_)
    _, groups = np.unique(
        [f"g{row.group}" if row.group else f"i{row.id}" for row in contents.rows], return_inverse=True
    )
    counts: dict[str, tuple[int, int]] = {}
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        similar = contents.embeddings[part] @ contents.embeddings.T
        similar[groups[part][:, None] == groups[None, :]] = -np.inf
        nearest = similar.argmax(axis=1)
        for i, j, best in zip(part, nearest, similar.max(axis=1), strict=True):
            if np.isfinite(best):
                before, agreeing = counts.get(str(labels[i]), (0, 0))
                counts[str(labels[i])] = before + 1, agreeing + int(labels[i] == labels[j])
    return counts


def drawn_at_random(n: int, most: int, seed: int = 0) -> NDArray[np.intp]:
    """Returns at most ``most`` sorted random positions out of ``n``; the same for the same arguments."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def layout(embeddings: Embeddings, seed: int = 0) -> Matrix:
    """Returns positions ``(n, 2)`` for embeddings ``(n, dim)``: principal components, then t-SNE (van der Maaten and
    Hinton 2008), initialised with the first two components, so that the same cases give the same map."""
    components = _principal(np.asarray(embeddings, float))
    if len(components) < _FEWEST:
        return components[:, :2]
    from sklearn.manifold import TSNE  # noqa: PLC0415 - takes a second to load

    begin = components[:, :2] / max(float(components[:, 0].std()), 1e-12) * 1e-4
    perplexity = min(_PERPLEXITY, (len(components) - 1) / 3)
    places: Matrix = TSNE(perplexity=perplexity, init=begin.astype(np.float32), random_state=seed).fit_transform(
        components.astype(np.float32)
    )
    return places.astype(float)


def _principal(rows: Matrix) -> Matrix:
    """Returns 2 to 50 principal components; the sign of each is that of its largest value."""
    centred = rows - rows.mean(axis=0) if len(rows) else rows
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    found = (left * sizes)[:, :_DIMENSIONS]
    found = np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1]))))
    if len(found):
        found = found * np.where(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])] < 0, -1.0, 1.0)
    return found
