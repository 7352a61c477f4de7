"""A run as arrays: one pass over its rows, after which none of them is held."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doubleread.agents.wire.budget import Spending
from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.task import Task
from doubleread.core.trust import Estimate, TrustProfile
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.core.verdict import Verdict
from doubleread.evals.runs.row import Row
from doubleread.orchestrator.calibration import restore_calibrator
from doubleread.orchestrator.metrics import Flags
from doubleread.orchestrator.simplex import spoken

SPLIT = "split"
"""The column of subgroups that is not metadata."""
NONE = -1
"""In place of a label's number: there is none."""


@dataclass(frozen=True, slots=True)
class AgentColumns:
    """What one agent said; a case on which it was silent is a row of NaN."""

    first: Matrix
    """Its first answers, raw, shape ``(n, k)``."""
    last: Matrix
    """Its last answers, raw, shape ``(n, k)``."""
    calibrated_first: Matrix
    calibrated_last: Matrix
    first_label: Labels
    """The label it named first, shape ``(n,)``; ``NONE`` where it gave no answer."""
    last_label: Labels
    again: Flags
    """Whether it answered in more than one round, shape ``(n,)``."""
    influence: Vector
    """How far the verdict changes without it, 0 to 1, shape ``(n,)``; NaN where it does not count."""
    benefit: Estimate | None
    """That of its trust profile."""


@dataclass(frozen=True, slots=True)
class RunColumns:
    """Cases with a verdict, in the order of their rows; ``n`` of them, and ``k`` labels in the task's order."""

    task: Task
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    """A case without a group has its own id."""
    labels: Labels
    """Shape ``(n,)``; ``NONE`` where the true label is not given or not one of the task's."""
    posterior: Matrix
    """Shape ``(n, k)``; NaN where no agent answered."""
    before: Matrix
    """The posterior before the second look, shape ``(n, k)``; NaN where there was none."""
    sets: NDArray[np.bool_]
    """Which labels the prediction set contains, shape ``(n, k)``."""
    committed: Labels
    """The label committed to, shape ``(n,)``; ``NONE`` where the case was referred."""
    looked: Flags
    """Whether there was a second look, shape ``(n,)``."""
    rounds: Labels
    """How many rounds there were, shape ``(n,)``."""
    seconds: Vector
    cost: Vector
    """US dollars, shape ``(n,)``."""
    unpriced: Flags
    """Whether a model without a known price answered, shape ``(n,)``."""
    judged: Flags
    """Whether the image's familiarity is known, shape ``(n,)``."""
    alarm: Flags
    leaked: Flags
    """Whether the evidence knows a near copy, shape ``(n,)``."""
    agents: dict[str, AgentColumns]
    subgroups: dict[str, tuple[str, ...]]
    """The requested columns and ``split``, shape ``(n,)``; empty where a case has no such value."""
    metadata: tuple[str, ...]
    """Names of all metadata columns, of cases with and without a verdict, sorted."""
    promised: float | None
    """The coverage that the prediction sets promise."""
    unread: dict[str, int]
    """Cases without a verdict, by code."""
    unknown_labels: dict[str, int]
    """True labels that the task does not know, and how many cases have them."""
    causes: dict[str, dict[str, int]]
    """Why agents gave no first answer, and on how many cases."""
    spending: dict[str, Spending]
    """What agents took for their answers; without those that ask no model."""

    @property
    def n(self) -> int:
        """Cases with a verdict."""
        return len(self.ids)

    @property
    def labelled(self) -> Flags:
        """Cases whose true label is known, shape ``(n,)``."""
        return np.asarray(self.labels != NONE)

    @property
    def said(self) -> Labels:
        """The panel's leading label, shape ``(n,)``; ``NONE`` where no agent answered."""
        return leading(self.posterior)


def read_columns(rows: Iterable[Row], task: Task, trust: Sequence[TrustProfile], by: Sequence[str] = ()) -> RunColumns:
    """The columns of a run's rows, one row a case, read once from first to last.

    The agents are those that ``trust`` has a calibrator of. ``by`` names the metadata columns that are kept for
    subgroups. Raises ``DataError`` for a row of another task, or a column that no case has.
    """
    profiles = {p.agent: p for p in trust if p.round == 1 and p.calibrator}
    reading = _RunBuffer(task, tuple(profiles), tuple(name for name in by if name != SPLIT))
    for row in rows:
        reading.take(row)
    return reading.columns(profiles)


class _Buffer:
    """Numbers by name that grow by a case at a time."""

    def __init__(self) -> None:
        self._values: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, **numbers: float | Iterable[float]) -> None:
        for name, value in numbers.items():
            self._values[name].extend(value if isinstance(value, Iterable) else (value,))

    def floats(self, name: str) -> Vector:
        return np.array(self._values[name], float)

    def matrix(self, name: str, k: int) -> Matrix:
        return self.floats(name).reshape(-1, k)

    def integers(self, name: str) -> Labels:
        return self.floats(name).astype(np.int64)

    def flags(self, name: str) -> Flags:
        return self.floats(name).astype(bool)


class _AgentBuffer(_Buffer):
    """One agent's answers."""

    def take(self, verdict: Verdict, agent: str, task: Task, index: dict[str, int]) -> None:
        said = sorted((o for o in verdict.opinions if o.agent == agent), key=lambda o: o.round)
        opening = next((o for o in said if o.round == 1), None)
        closing = said[-1] if said else None
        self.add(
            first=_vector(opening, task),
            last=_vector(closing, task),
            first_label=NONE if opening is None else index[opening.label],
            last_label=NONE if closing is None else index[closing.label],
            again=opening is not None and opening is not closing,
            calibrated=_shares(verdict.agent_scores.get(agent, {}), task),
            influence=verdict.influence.get(agent, np.nan),
        )

    def columns(self, k: int, profile: TrustProfile) -> AgentColumns:
        first = self.matrix("first", k)
        calibrated = np.full_like(first, np.nan)
        spoke = spoken(first)
        if spoke.any():
            calibrated[spoke] = restore_calibrator(profile.calibrator).apply(first[spoke])
        return AgentColumns(
            first=first,
            last=self.matrix("last", k),
            calibrated_first=calibrated,
            calibrated_last=self.matrix("calibrated", k),
            first_label=self.integers("first_label"),
            last_label=self.integers("last_label"),
            again=self.flags("again"),
            influence=self.floats("influence"),
            benefit=profile.benefit,
        )


class _RunBuffer(_Buffer):
    """The cases of a run."""

    def __init__(self, task: Task, agents: Sequence[str], by: Sequence[str]) -> None:
        super().__init__()
        self.task, self.by = task, by
        self.index = {name: i for i, name in enumerate(task.names)}
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.groups: list[str] = []
        self.said = {name: _AgentBuffer() for name in agents}
        self.subgroups: dict[str, list[str]] = {name: [] for name in dict.fromkeys((*by, SPLIT))}
        self.metadata: set[str] = set()
        self.unread: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.causes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.spending: defaultdict[str, Spending] = defaultdict(Spending)
        self.promised: float | None = None

    def take(self, row: Row) -> None:
        self.metadata.update(row.case.metadata)
        if row.verdict is None:
            self.unread[row.unread.code if row.unread else "unknown"] += 1
            return
        foreign = [name for name in row.verdict.scores if name not in self.index]
        if foreign:
            raise DataError(
                f"row {row.index} has the label {foreign[0]!r}, which task {self.task.id!r} does not have "
                f"({', '.join(self.task.names)}): the run contains rows of another task"
            )
        self._case(row.case)
        self._verdict(row.verdict)

    def _case(self, case: Case) -> None:
        self.ids.append(case.id)
        self.sources.append(case.source)
        self.groups.append(case.group or case.id)
        for name, values in self.subgroups.items():
            values.append((case.split if name == SPLIT else case.metadata.get(name)) or "")
        self.add(labels=self.index.get(case.label or "", NONE))
        if case.label is not None and case.label not in self.index:
            self.unknown[case.label] += 1

    def _verdict(self, verdict: Verdict) -> None:
        looked, familiarity = verdict.second_look, verdict.familiarity
        committed = verdict.decision.label if verdict.decision.action == "commit" else None
        answers: tuple[Answer, ...] = (*verdict.opinions, *verdict.abstentions)
        self.add(
            posterior=_shares(verdict.scores, self.task),
            before=_shares(looked.before if looked else {}, self.task),
            seconds=verdict.seconds,
            cost=verdict.cost_usd,
            committed=self.index.get(committed or "", NONE),
            rounds=looked.rounds if looked else 1,
            sets=[name in verdict.prediction_set for name in self.task.names],
            looked=looked is not None,
            unpriced=any(answer.usage.cost_usd is None for answer in answers),
            judged=familiarity is not None and familiarity.threshold is not None,
            alarm=familiarity is not None and familiarity.alarm,
            leaked=verdict.evidence is not None and bool(verdict.evidence.near_copies),
        )
        self.promised = self.promised if verdict.coverage is None else verdict.coverage
        for name, said in self.said.items():
            said.take(verdict, name, self.task, self.index)
        for silent in verdict.abstentions:
            if silent.round == 1:
                self.causes[silent.agent][silent.cause] += 1
        for answer in answers:
            self.spending[answer.agent] += _spent(answer)

    def columns(self, profiles: dict[str, TrustProfile]) -> RunColumns:
        missing = [name for name in self.by if name not in self.metadata]
        if missing:
            known = ", ".join(sorted((*self.metadata, SPLIT)))
            raise DataError(f"no case has the column {missing[0]!r} for subgroups; columns: {known}")
        k = len(self.task.names)
        arrays: dict[str, Any] = {
            "sets": self.flags("sets").reshape(-1, k),
            **{name: self.matrix(name, k) for name in ("posterior", "before")},
            **{name: self.floats(name) for name in ("seconds", "cost")},
            **{name: self.integers(name) for name in ("labels", "committed", "rounds")},
            **{name: self.flags(name) for name in ("looked", "unpriced", "judged", "alarm", "leaked")},
        }
        return RunColumns(
            **arrays,
            task=self.task,
            ids=tuple(self.ids),
            sources=tuple(self.sources),
            groups=tuple(self.groups),
            agents={name: said.columns(k, profiles[name]) for name, said in self.said.items()},
            subgroups={name: tuple(values) for name, values in self.subgroups.items()},
            metadata=tuple(sorted(self.metadata)),
            promised=self.promised,
            unread=dict(self.unread),
            unknown_labels=dict(self.unknown),
            causes={name: dict(found) for name, found in self.causes.items()},
            spending={name: found for name, found in self.spending.items() if found.calls or found.cached},
        )


def _spent(answer: Answer) -> Spending:
    """What an answer took in this run: one from the cache was neither sent nor asked twice."""
    return Spending(cached=1) if isinstance(answer, Opinion) and answer.cached else Spending.of(answer.usage)


def _vector(answer: Opinion | None, task: Task) -> list[float]:
    return [np.nan] * len(task.names) if answer is None else list(map(float, answer.vector(task)))


def _shares(shares: dict[str, float], task: Task) -> list[float]:
    return [shares.get(name, np.nan) for name in task.names]


def leading(P: Matrix) -> Labels:
    """The leading label of each row, shape ``(n,)``; ``NONE`` where no agent answered."""
    return np.where(spoken(P), P.argmax(axis=1), NONE).astype(np.int64)
