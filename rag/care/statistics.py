"""What an archive holds, in numbers."""

import numpy as np

from doubleread.core.base import Record
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.contents import Contents

_ASKED = 2000
_AT_ONCE = 256


class LabelStatistics(Record):
    """One label's cases."""

    label: str
    cases: int
    share: float
    """Of all cases, 0 to 1."""
    groups: int
    """A case without a group counts as one of its own."""
    removed: int
    asked: int
    """Cases whose nearest case outside their own group was looked at."""
    agreeing: int
    """Those of them whose nearest case has the same label."""


class EncoderStatistics(Record):
    """One encoder's embeddings."""

    fingerprint: str
    name: str
    dim: int
    cases: int
    """Cases, not removed, that it has encoded."""
    active: bool


class Statistics(Record):
    """The whole archive."""

    version: str
    cases: int
    removed: int
    changes: int
    bytes: int
    """On disk, with the index."""
    labels: tuple[LabelStatistics, ...]
    encoders: tuple[EncoderStatistics, ...]


def statistics(archive: Archive) -> Statistics:
    """Counts per label and encoder; nearest neighbours are asked of at most 2,000 cases drawn at random."""
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
    return Statistics(
        version=archive.version(),
        cases=total,
        removed=sum(one.removed for one in labels),
        changes=archive.file.version().seq,
        bytes=sum(file.stat().st_size for file in archive.folder.rglob("*") if file.is_file()),
        labels=tuple(labels),
        encoders=encoder_statistics(archive),
    )


def encoder_statistics(archive: Archive) -> tuple[EncoderStatistics, ...]:
    """Every encoder and how far it has come."""
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
    """By label: how many were asked, and how many have a nearest case of the same label outside their group."""
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
