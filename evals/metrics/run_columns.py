"""A run as arrays: one pass over its rows, after which none of them is held."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """The label it named first, shape ``(n,)``; ``NONE`` where it was silent."""
    last_label: Labels
    again: Flags
    """Whether it answered in more than one round, shape ``(n,)``."""
    influence: Vector
    """How far it moves the verdict, 0 to 1, shape ``(n,)``; NaN where it does not count."""
    benefit: Estimate | None
    """That of its trust profile."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Cases with a verdict, in the order of their rows; ``n`` of them, and ``k`` labels in the task's order."""

    task: Task
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    """A case without a group has its own id."""
    labels: Labels
    """Shape ``(n,)``; ``NONE`` where the true label is not given or not one of the task's."""
    posterior: Matrix
    """Shape ``(n, k)``; NaN where nobody spoke."""
    before: Matrix
    """The posterior before the second look, shape ``(n, k)``; NaN where there was none."""
    sets: NDArray[np.bool_]
    """Which labels the prediction set holds, shape ``(n, k)``."""
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
    """Whether it could be told how familiar the image is, shape ``(n,)``."""
    alarm: Flags
    leaked: Flags
    """Whether the evidence knows a near copy, shape ``(n,)``."""
    agents: dict[str, AgentColumns]
    subgroups: dict[str, tuple[str, ...]]
    """The columns that were asked for and ``split``, shape ``(n,)``; empty where a case has no such value."""
    metadata: tuple[str, ...]
    """Names of all metadata columns, of cases with and without a verdict, sorted."""
    promised: float | None
    """The coverage that the prediction sets promise."""
    unread: dict[str, int]
    """Cases without a verdict, by code."""
    unknown_labels: dict[str, int]
    """True labels that the task does not know, and how many cases have them."""

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
        """The panel's leading label, shape ``(n,)``; ``NONE`` where nobody spoke."""
        return _leading(self.posterior)


def read_columns(rows: Iterable[Row], task: Task, trust: Sequence[TrustProfile], by: Sequence[str] = ()) -> Columns:
    """The columns of a run's rows, one row a case, read once from first to last.

    The agents are those that ``trust`` has a calibrator of. ``by`` names the metadata columns that are kept for
    subgroups. Raises ``DataError`` for a row of another task, or a column that no case has.
    """
    profiles = {p.agent: p for p in trust if p.round == 1 and p.calibrator}
    reading = _Reading(task, tuple(profiles), tuple(name for name in by if name != SPLIT))
    for row in rows:
        reading.take(row)
    return reading.columns(profiles)


class _Said:
    """One agent's answers, growing."""

    def __init__(self) -> None:
        self.first, self.last, self.calibrated, self.influence = array("d"), array("d"), array("d"), array("d")
        self.first_label, self.last_label, self.again = array("q"), array("q"), array("b")

    def take(self, verdict: Verdict, agent: str, task: Task, index: dict[str, int]) -> None:
        said = sorted((o for o in verdict.opinions if o.agent == agent), key=lambda o: o.round)
        opening = next((o for o in said if o.round == 1), None)
        closing = said[-1] if said else None
        for rows, names, answer in (
            (self.first, self.first_label, opening),
            (self.last, self.last_label, closing),
        ):
            rows.extend(_vector(answer, task))
            names.append(NONE if answer is None else index[answer.label])
        self.again.append(opening is not None and opening is not closing)
        self.calibrated.extend(_shares(verdict.agent_scores.get(agent, {}), task))
        self.influence.append(verdict.influence.get(agent, np.nan))

    def columns(self, k: int, profile: TrustProfile) -> AgentColumns:
        first = _matrix(self.first, k)
        calibrated = np.full_like(first, np.nan)
        spoke = spoken(first)
        if spoke.any():
            calibrated[spoke] = restore_calibrator(profile.calibrator).apply(first[spoke])
        return AgentColumns(
            first=first,
            last=_matrix(self.last, k),
            calibrated_first=calibrated,
            calibrated_last=_matrix(self.calibrated, k),
            first_label=_integers(self.first_label),
            last_label=_integers(self.last_label),
            again=_flags(self.again),
            influence=np.array(self.influence, float),
            benefit=profile.benefit,
        )


class _Reading:
    """Buffers of plain numbers that grow by a case at a time."""

    def __init__(self, task: Task, agents: Sequence[str], by: Sequence[str]) -> None:
        self.task, self.by = task, by
        self.index = {name: i for i, name in enumerate(task.names)}
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.groups: list[str] = []
        self.numbers = {name: array("d") for name in ("posterior", "before", "seconds", "cost")}
        self.integers = {name: array("q") for name in ("labels", "committed", "rounds")}
        self.flags = {name: array("b") for name in ("sets", "looked", "unpriced", "judged", "alarm", "leaked")}
        self.said = {name: _Said() for name in agents}
        self.subgroups: dict[str, list[str]] = {name: [] for name in dict.fromkeys((*by, SPLIT))}
        self.metadata: set[str] = set()
        self.unread: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.promised: float | None = None

    def take(self, row: Row) -> None:
        self.metadata.update(row.case.metadata)
        if row.verdict is None:
            self.unread[row.unread.code if row.unread else "unknown"] += 1
            return
        foreign = [name for name in row.verdict.scores if name not in self.index]
        if foreign:
            raise DataError(
                f"row {row.index} says {foreign[0]!r}, which is no label of task {self.task.id!r} "
                f"({', '.join(self.task.names)}): rows of another task have come among those of this run"
            )
        self._case(row)
        self._verdict(row.verdict)

    def _case(self, row: Row) -> None:
        case = row.case
        self.ids.append(case.id)
        self.sources.append(case.source)
        self.groups.append(case.group or case.id)
        for name, values in self.subgroups.items():
            values.append((case.split if name == SPLIT else case.metadata.get(name)) or "")
        self.integers["labels"].append(self.index.get(case.label or "", NONE))
        if case.label is not None and case.label not in self.index:
            self.unknown[case.label] += 1

    def _verdict(self, verdict: Verdict) -> None:
        looked, familiarity = verdict.second_look, verdict.familiarity
        numbers, integers, flags = self.numbers, self.integers, self.flags
        numbers["posterior"].extend(_shares(verdict.scores, self.task))
        numbers["before"].extend(_shares(looked.before if looked else {}, self.task))
        numbers["seconds"].append(verdict.seconds)
        numbers["cost"].append(verdict.cost_usd)
        committed = verdict.decision.label if verdict.decision.action == "commit" else None
        integers["committed"].append(self.index.get(committed or "", NONE))
        integers["rounds"].append(looked.rounds if looked else 1)
        flags["sets"].extend(name in verdict.prediction_set for name in self.task.names)
        flags["looked"].append(looked is not None)
        answers: tuple[Answer, ...] = (*verdict.opinions, *verdict.abstentions)
        flags["unpriced"].append(any(answer.usage.cost_usd is None for answer in answers))
        flags["judged"].append(familiarity is not None and familiarity.threshold is not None)
        flags["alarm"].append(familiarity is not None and familiarity.alarm)
        flags["leaked"].append(verdict.evidence is not None and bool(verdict.evidence.near_copies))
        self.promised = self.promised if verdict.coverage is None else verdict.coverage
        for name, said in self.said.items():
            said.take(verdict, name, self.task, self.index)

    def columns(self, profiles: dict[str, TrustProfile]) -> Columns:
        missing = [name for name in self.by if name not in self.metadata]
        if missing:
            known = ", ".join(sorted((*self.metadata, SPLIT)))
            raise DataError(f"no case has a column {missing[0]!r} to make subgroups by; columns: {known}")
        k = len(self.task.names)
        return Columns(
            task=self.task,
            ids=tuple(self.ids),
            sources=tuple(self.sources),
            groups=tuple(self.groups),
            posterior=_matrix(self.numbers["posterior"], k),
            before=_matrix(self.numbers["before"], k),
            seconds=np.array(self.numbers["seconds"], float),
            cost=np.array(self.numbers["cost"], float),
            labels=_integers(self.integers["labels"]),
            committed=_integers(self.integers["committed"]),
            rounds=_integers(self.integers["rounds"]),
            sets=_flags(self.flags["sets"]).reshape(-1, k),
            looked=_flags(self.flags["looked"]),
            unpriced=_flags(self.flags["unpriced"]),
            judged=_flags(self.flags["judged"]),
            alarm=_flags(self.flags["alarm"]),
            leaked=_flags(self.flags["leaked"]),
            agents={name: said.columns(k, profiles[name]) for name, said in self.said.items()},
            subgroups={name: tuple(values) for name, values in self.subgroups.items()},
            metadata=tuple(sorted(self.metadata)),
            promised=self.promised,
            unread=dict(self.unread),
            unknown_labels=dict(self.unknown),
        )


def _vector(answer: Opinion | None, task: Task) -> list[float]:
    return [np.nan] * len(task.names) if answer is None else list(map(float, answer.vector(task)))


def _shares(shares: dict[str, float], task: Task) -> list[float]:
    return [shares.get(name, np.nan) for name in task.names]


def _leading(P: Matrix) -> Labels:
    return np.where(spoken(P), P.argmax(axis=1), NONE).astype(np.int64)


def _matrix(values: "array[float]", k: int) -> Matrix:
    return np.array(values, float).reshape(-1, k)


def _integers(values: "array[int]") -> Labels:
    return np.array(values, np.int64)


def _flags(values: "array[int]") -> Flags:
    return np.array(values, bool)
