"""The suspicious labels of a data set, as records."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.notices import warn_user
from doubleread.core.trust import Estimate
from doubleread.core.types import Embeddings
from doubleread.core.verdict import Unread
from doubleread.evals.suspects.ranking import Ranking, rank
from doubleread.panel.composition import Eyes
from doubleread.rag.stores.stored_rows import products

EXAMPLES = 3
"""Cases of either label that are shown beside a suspicious one."""


class Example(Record):
    """A case without a suspicious label, similar to the suspicious one."""

    id: str
    source: str
    path: Path | None
    similarity: float


class Suspect(Record):
    """A label that looks wrong, and the label that fits better.

    Examples:
        >>> from contextlib import closing
        >>> from doubleread.evals.suspects.suspect_search import find_suspects
        >>> from doubleread.panel.composition import open_eyes
        >>> dataset = doubleread.read_dataset("photos")
        >>> with closing(open_eyes(doubleread.load_settings())) as encoder:
        ...     found = find_suspects(dataset.name, dataset.cases, encoder, limit=3)
        >>> len(found.suspects)
        3
    """

    id: str
    source: str
    path: Path | None
    group: str | None
    label: str
    suggested: str
    probability: float
    """Of the given label, by models that never saw the case or its group."""
    suggested_probability: float
    like_label: tuple[Example, ...] = ()
    """The nearest cases of the given label, of other groups."""
    like_suggested: tuple[Example, ...] = ()


class SuspectLabels(Record):
    """What ``doubleread cases suspect`` found; ``suspects`` begins with the most suspicious.

    Examples:
        >>> from contextlib import closing
        >>> from doubleread.evals.suspects.suspect_search import find_suspects
        >>> from doubleread.panel.composition import open_eyes
        >>> dataset = doubleread.read_dataset("photos")
        >>> with closing(open_eyes(doubleread.load_settings())) as encoder:
        ...     found = find_suspects(dataset.name, dataset.cases, encoder)
        >>> found.line
        'About ...'
    """

    name: str
    cases: int
    groups: int
    """Groups that were kept together; as many as cases where none is known."""
    wrong: Estimate
    suspects: tuple[Suspect, ...]
    unread: tuple[Unread, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    """Cases of labels with a single group, by label: these labels cannot be checked."""

    @property
    def line(self) -> str:
        """The answer in one sentence."""
        w, shown = self.wrong, f"{len(self.suspects):,} most suspicious"
        low, high = math.floor(w.low), math.ceil(w.high)
        return (
            f"About {w.value:,.0f} ({low:,} to {high:,}) of {self.cases:,} labels are probably wrong; the {shown} "
            "are listed."
        )


def find_suspects(
    name: str,
    cases: Sequence[Case],
    eyes: Eyes,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> SuspectLabels:
    """Encodes labelled cases and ranks their labels; ``limit`` lists so many, otherwise as many as may be wrong.

    Raises ``DataError`` where fewer than two labels are left that have cases in two groups.

    Examples:
        >>> from contextlib import closing
        >>> from doubleread.evals.suspects.suspect_search import find_suspects
        >>> from doubleread.panel.composition import open_eyes
        >>> dataset = doubleread.read_dataset("photos")
        >>> with closing(open_eyes(doubleread.load_settings())) as encoder:
        ...     found = find_suspects(dataset.name, dataset.cases, encoder)
        >>> found.cases == len(dataset.cases)
        True
    """
    usable, left_out = _comparable([case for case in cases if case.label is not None])
    seen = eyes.embedder.embed_all(usable, progress=progress)
    kept, lost = _comparable([usable[i] for i in seen.kept])
    at = {case.id: row for case, row in zip((usable[i] for i in seen.kept), seen.embeddings[:, 0], strict=True)}
    rows = np.stack([at[case.id] for case in kept])
    names = sorted({str(case.label) for case in kept})
    labels = np.array([names.index(str(case.label)) for case in kept], dtype=np.int64)
    groups = [case.group or case.id for case in kept]
    ranking = rank(rows, labels, groups if any(case.group for case in kept) else None)
    most = math.ceil(ranking.wrong.high) if limit is None else limit
    lost = {**left_out, **lost}
    skipped = [f"skipped {row.source}: {row.problem}" for row in seen.unread]
    alone = "all are of one group, so nothing tells whether their labels are right"
    warn_user((*skipped, *(f"skipped {n:,} cases of {label}: {alone}" for label, n in lost.items())))
    return SuspectLabels(
        name=name,
        cases=len(kept),
        groups=len(set(groups)),
        wrong=ranking.wrong,
        suspects=_suspects(kept, groups, names, rows, ranking, most),
        unread=seen.unread,
        left_out=lost,
    )


def _comparable(cases: Sequence[Case]) -> tuple[list[Case], dict[str, int]]:
    """The cases of labels that have two groups or more, and how many others there are of each label."""
    groups: dict[str, set[str]] = {}
    for case in cases:
        groups.setdefault(str(case.label), set()).add(case.group or case.id)
    lone = {label for label, found in groups.items() if len(found) < 2}
    if len(groups) - len(lone) < 2:
        raise DataError("at least two labels with cases in two or more groups each are needed; add labelled cases")
    left_out = {label: sum(case.label == label for case in cases) for label in sorted(lone)}
    return [case for case in cases if case.label not in lone], left_out


def _suspects(
    cases: Sequence[Case], groups: Sequence[str], names: Sequence[str], rows: Embeddings, ranking: Ranking, most: int
) -> tuple[Suspect, ...]:
    order = ranking.order[: max(0, most)]
    probability, suggested = ranking.probability, ranking.suggested
    code = np.unique(groups, return_inverse=True)[1]
    doubtful = np.isin(np.arange(len(cases)), order)

    def like(i: int, label: int) -> tuple[Example, ...]:
        open_to = np.flatnonzero((ranking.given == label) & (code != code[i]) & ~doubtful)
        cosine = products(rows[open_to], rows[i])
        return tuple(
            Example(id=one.id, source=one.source, path=one.path, similarity=float(cosine[j]))
            for j in np.argsort(-cosine, kind="stable")[:EXAMPLES]
            if (one := cases[open_to[j]])
        )

    return tuple(
        Suspect(
            id=cases[i].id,
            source=cases[i].source,
            path=cases[i].path,
            group=cases[i].group,
            label=names[ranking.given[i]],
            suggested=names[suggested[i]],
            probability=float(probability[i]),
            suggested_probability=float(ranking.posterior[i, suggested[i]]),
            like_label=like(i, int(ranking.given[i])),
            like_suggested=like(i, int(suggested[i])),
        )
        for i in order.tolist()
    )
