"""The answers that a sweep rests on: a panel's own readings, and the cases of a run that it has not learned from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from doubleread.core.errors import DataError
from doubleread.core.opinion import Answer, Usage
from doubleread.core.reading import Reading, slim_evidence
from doubleread.core.task import Task
from doubleread.core.types import Labels
from doubleread.core.verdict import Verdict
from doubleread.evals.runs.run_folder import read_record, read_rows
from doubleread.evals.sweep._variant import Variant
from doubleread.panel.feedback import calibration_rows
from doubleread.panel.panel_folder import PanelFolder
from doubleread.rag.stores.archive import Archive


@dataclass(frozen=True)
class RecordedAnswers:
    """A panel and the answers that its first trust was learned from.

    ``usd`` is what an answer of each agent costs: kept readings do not say.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.sweep import RecordedAnswers
        >>> from doubleread.panel.panel_folder import read_panel
        >>> recorded = RecordedAnswers.of(read_panel(Path("panel"), None))
        >>> recorded.task.names
        ('blue', 'green', 'red')
    """

    saved: PanelFolder
    rows: tuple[Reading, ...]
    usd: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, saved: PanelFolder, usd: Mapping[str, float] | None = None) -> Self:
        """Raises ``PanelError`` where the panel keeps no readings, ``DataError`` for the price of a stranger."""
        agents = saved.arbiter.agents
        if strangers := sorted(set(usd or {}) - set(agents)):
            raise DataError(f"this panel has no agent {strangers[0]}; its agents are {', '.join(agents)}")
        return cls(saved, calibration_rows(saved), usd or {})

    @property
    def task(self) -> Task:
        """The panel's task."""
        return self.saved.arbiter.task

    @property
    def agents(self) -> tuple[str, ...]:
        """Names of the panel's agents."""
        return self.saved.arbiter.agents

    @property
    def referees(self) -> tuple[str, ...]:
        """Names of the agents that weigh what the others say."""
        return tuple(name for name in self.agents if name in self.saved.settings.reasoner)

    @property
    def first(self) -> Variant:
        """The panel as it is."""
        return Variant.as_it_is(self.saved.settings, self.task.costs.referral, self.saved.head.weighting)

    def priced(self, usd: Mapping[str, float]) -> Self:
        """With prices that were measured; those that were named before go before them."""
        return replace(self, usd={**usd, **self.usd})

    def with_prices(self, rows: Iterable[Reading]) -> list[Reading]:
        """The readings with each agent's price on its answers, for gates to weigh."""
        return [
            row.model_copy(update={"first": self._priced(row.first), "second": self._priced(row.second)})
            for row in rows
        ]

    def _priced(self, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
        return tuple(
            a.model_copy(update={"usage": Usage(cost_usd=self.usd[a.agent])}) if a.agent in self.usd else a
            for a in answers
        )


@dataclass(frozen=True)
class UnseenCases:
    """The cases of a run that had no part in the panel."""

    folder: Path
    task: Task
    known: frozenset[str]
    """Cases and groups that the panel learned from or keeps: they are left out."""
    labels: Labels
    groups: tuple[str, ...]
    left_out: int
    usd: Mapping[str, float]
    """What an answer of each agent cost on average, where it was to be paid for."""

    @classmethod
    def of(cls, folder: Path, recorded: RecordedAnswers) -> Self:
        """Reads a run as a stream. Raises ``DataError`` for one of other labels, or where no case is left."""
        known, task = _known(recorded), recorded.task
        kept: list[tuple[str, str]] = []
        paid: dict[str, list[float]] = {}
        left_out = 0
        for verdict in _labelled_verdicts(folder):
            row = _reading_of(verdict)
            task.index(row.label)
            for answer in (*row.first, *row.second):
                if answer.usage.cost_usd:
                    paid.setdefault(answer.agent, []).append(answer.usage.cost_usd)
            if row.case in known or row.group in known:
                left_out += 1
            else:
                kept.append((row.label, row.group or row.case))
        if not kept:
            raise DataError(
                f"{folder}: none of its cases can be used: the panel has learned from {left_out} of them, the others "
                "have "
                "no label or no answer"
            )
        return cls(
            folder=folder,
            task=task,
            known=known,
            labels=np.array([task.index(label) for label, _ in kept], dtype=np.int64),
            groups=tuple(group for _, group in kept),
            left_out=left_out,
            usd={name: float(np.mean(costs)) for name, costs in paid.items()},
        )

    def rows(self) -> Iterator[Reading]:
        """The readings, read from the run again, one at a time."""
        for verdict in _labelled_verdicts(self.folder):
            row = _reading_of(verdict)
            if row.case not in self.known and row.group not in self.known:
                yield row


def _labelled_verdicts(folder: Path) -> Iterator[Verdict]:
    """The verdicts on labelled cases that any agent answered, one at a time; raises ``RunError``."""
    read_record(folder)
    for row in read_rows(folder):
        verdict = row.verdict
        if verdict is not None and verdict.case.label is not None and verdict.opinions:
            yield verdict


def _reading_of(verdict: Verdict) -> Reading:
    """What was said about a labelled case, with what it cost."""
    answers: tuple[Answer, ...] = (*verdict.opinions, *verdict.abstentions)
    return Reading(
        case=verdict.case.id,
        label=str(verdict.case.label),
        group=verdict.case.group,
        first=tuple(a for a in answers if a.round == 1),
        second=tuple(a for a in answers if a.round > 1),
        evidence=slim_evidence(verdict.evidence),
    )


def _known(recorded: RecordedAnswers) -> frozenset[str]:
    named = {row.case for row in recorded.rows} | {row.group for row in recorded.rows if row.group is not None}
    saved = recorded.saved
    if not saved.settings.retrieval.url:
        with Archive(saved.folder / "store", saved.head.fingerprint, dim=saved.head.dim, read_only=True) as archive:
            columns = archive.columns()
            named |= {*columns.ids.tolist(), *columns.groups.tolist()} - {""}
    return frozenset(named)
