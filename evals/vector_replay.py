"""A course for many cases and many arbiters at once: arrays of answers in, who was asked and what was decided out.

The one fast copy of ``next_step``; tests hold it to ``case_replay`` and to the graph, on random panels too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from doubleread.core.opinion import Answer, ConfidenceSource, Opinion
from doubleread.core.reading import Reading
from doubleread.core.task import Task
from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.rounds import Fusion, filled, posteriors, posteriors_of_both
from doubleread.orchestrator.gates.gate import Gate, best_of, doubts
from doubleread.orchestrator.learning.fusion_learning import Learned
from doubleread.orchestrator.ood.familiarity import Familiarity, nearness_of
from doubleread.orchestrator.simplex import spoken

Flags = NDArray[np.bool_]
A = TypeVar("A")


@dataclass(frozen=True)
class AnswerArrays:
    """What agents said about ``n`` cases, as arrays; the first axis counts the cases."""

    first: Tensor3
    second: Tensor3
    """Opinions of either round as they were given, ``(n, agents, k)``; NaN where there is none."""
    first_source: NDArray[np.str_]
    second_source: NDArray[np.str_]
    """Where each opinion's numbers come from, ``(n, agents)``; empty where there is none."""
    answered: Flags
    again: Flags
    """Whether there is an answer of either round, if only an abstention, ``(n, agents)``."""
    nearness: Vector
    """How near the stored cases are, ``(n,)``; NaN without evidence."""
    unusual: Flags
    """Whether the picture itself raises the alarm, ``(n,)``."""

    @classmethod
    def of(cls, task: Task, agents: Sequence[str], rows: Iterable[Reading]) -> Self:
        """From readings, one after another; answers of other agents are left out."""
        place = {name: i for i, name in enumerate(agents)}
        found = [_arrays(task, place, row) for row in rows]
        shape = (0, len(agents))
        empty = (np.empty((*shape, len(task.names))), np.empty(shape, "<U1"), np.empty(shape, bool))
        if not found:
            return cls(empty[0], empty[0], empty[1], empty[1], empty[2], empty[2], np.empty(0), np.empty(0, bool))
        return cls(*(np.array(column) for column in zip(*found, strict=True)))

    def rows(self, picked: Labels | Flags) -> Self:
        """Those cases."""
        return replace(self, **{one.name: getattr(self, one.name)[picked] for one in fields(self)})

    def columns(self, picked: Sequence[int]) -> Self:
        """Those agents."""
        per_agent = [one.name for one in fields(self) if one.name not in {"nearness", "unusual"}]
        return replace(self, **{name: getattr(self, name)[:, list(picked)] for name in per_agent})

    def usable(self, sources: Sequence[Sequence[ConfidenceSource | None]]) -> Self:
        """Without the opinions that were never calibrated: of either round, those of another source than named."""
        first, second = (np.array([name or "-" for name in names]) for names in sources)
        return replace(
            self,
            first=np.where((self.first_source == first)[..., None], self.first, np.nan),
            second=np.where((self.second_source == second)[..., None], self.second, np.nan),
        )


def sources_of(arbiter: Arbiter) -> tuple[tuple[ConfidenceSource | None, ...], ...]:
    """For each round, the confidence source that each agent is calibrated on; None where it was never calibrated."""
    found = [[arbiter.profile(name, turn) for name in arbiter.agents] for turn in (1, 2)]
    return tuple(tuple(p.confidence_source if p else None for p in profiles) for profiles in found)


@dataclass(frozen=True)
class ReplayedCases:
    """Where ``n`` cases ended, and who was asked on the way."""

    posterior: Matrix
    """Shape ``(n, k)``; NaN where no agent answered."""
    label: Labels
    """The label that is cheapest to commit to."""
    committed: Flags
    looked_again: Flags
    asked: Flags
    asked_again: Flags
    """Agents that were called in either round, ``(n, agents)``."""
    unanswered: Flags
    """Cases that need an answer that was not recorded; their outcome is not known."""


@dataclass
class VectorReplay:
    """Replays the same cases under one arbiter after another.

    What arbiters have in common (fits, familiarity) is applied to the cases once; a policy costs a few comparisons.
    """

    said: AnswerArrays
    _known: dict[tuple[object, ...], tuple[tuple[object, ...], Any]] = field(default_factory=dict)

    def run(self, arbiter: Arbiter) -> ReplayedCases:
        """What the course comes to on every case. Opinions must be ``usable`` by the arbiter."""
        said, policy = self.said, arbiter.policy
        dear = np.isin(arbiter.agents, arbiter.spared({}))
        looks = np.array([arbiter.looks_again(name) for name in arbiter.agents])
        before = self._first(arbiter, dear)
        here = ~np.isin(arbiter.agents, arbiter.left_out)
        free = self._alarms(arbiter, dear)
        opened = _opens(policy.asking, arbiter.task, before) & dear.any() & ~free
        everyone = self._first(arbiter, np.zeros_like(dear)) if opened.any() else before
        posterior = np.where(opened[:, None], everyone, before)
        heard = said.answered & here & (~dear | opened[:, None])
        unanswered = opened & (dear & ~said.answered).any(axis=1)
        alarm = np.where(opened, self._alarms(arbiter, np.zeros_like(dear)), free)
        looked = np.zeros(len(opened), dtype=bool)
        asked_again = np.zeros_like(heard)
        if arbiter.second is not None and policy.max_rounds > 1:
            wanted = heard & looks & said.again.any(axis=0)
            looked = _opens(policy.looking, arbiter.task, posterior) & wanted.any(axis=1) & ~alarm
            unanswered |= looked & (wanted & ~said.again).any(axis=1)
            asked_again = wanted & said.again & looked[:, None]
            looked &= asked_again.any(axis=1)
            for spared, part in ((dear, looked & ~opened), (np.zeros_like(dear), looked & opened)):
                if part.any():
                    posterior[part] = self._both(arbiter, spared, looks)[part]
        label, committed = _decided(arbiter, posterior)
        missing = heard & ~np.isin(np.arange(len(dear)), arbiter.first.silent) & ~spoken(said.first)
        missing &= ~(spoken(said.second) & asked_again)
        uncertain = committed & missing.any(axis=1)
        for opens, looks_again in product((False, True), repeat=2):
            rows = np.flatnonzero(uncertain & (opened == opens) & (looked == looks_again))
            if len(rows):
                spared = np.zeros_like(dear) if opens else dear
                committed[rows] = self._stands(arbiter, rows, label[rows], missing[rows], spared, looks, looks_again)
        return ReplayedCases(posterior, label, committed & ~alarm, looked, heard, asked_again, unanswered)

    def _first(self, arbiter: Arbiter, spared: Flags) -> Matrix:
        """Posteriors of the first round without the agents that are spared."""
        learned = _learned(arbiter, spared)
        return self._once((learned,), (spared,), lambda: posteriors(learned, self._heard(spared)))

    def _both(self, arbiter: Arbiter, spared: Flags, looks: Flags) -> Matrix:
        """Posteriors after a second look of those who take one and were heard."""
        learned, look = _learned(arbiter, spared), arbiter.second
        assert look is not None
        again = self._again(spared, looks)
        return self._once(
            (learned, look.learned),
            (spared, looks, look.pooling),
            lambda: posteriors_of_both(learned, look, self._heard(spared), again),
        )

    def _stands(
        self,
        arbiter: Arbiter,
        rows: Labels,
        label: Labels,
        missing: Flags,
        spared: Flags,
        looks: Flags,
        looked_again: bool,
    ) -> Flags:
        """Which commitments would stand whatever the missing agents had said."""
        fusion, stands = (
            Fusion(_learned(arbiter, spared), arbiter.second if looked_again else None),
            np.ones(len(rows), dtype=bool),
        )
        again = self._again(spared, looks)[rows] if looked_again else None
        for k in range(len(arbiter.task.names)):
            other = fusion.posterior(filled(self._heard(spared)[rows], missing, arbiter.surest, k), again)
            best, commits = _decided(arbiter, other)
            stands &= commits & (best == label)
        return stands

    def _again(self, spared: Flags, looks: Flags) -> Tensor3:
        return np.where((looks & ~spared & self.said.answered)[..., None], self.said.second, np.nan)

    def _alarms(self, arbiter: Arbiter, spared: Flags) -> Flags:
        judge = arbiter.familiarity
        return self._once((judge,), (spared,), lambda: self._judged(judge, spared))

    def _judged(self, judge: Familiarity, spared: Flags) -> Flags:
        return judge.alarms(self.said.nearness, self._heard(spared)) | self.said.unusual

    def _heard(self, spared: Flags) -> Tensor3:
        return np.where(spared[:, None], np.nan, self.said.first)

    def _once(self, of: tuple[object, ...], under: tuple[object, ...], make: Callable[[], A]) -> A:
        """What ``make`` gives, made once for the same objects; they are held, so that no other takes their place."""
        plain = tuple(one.tobytes() if isinstance(one, np.ndarray) else one for one in under)
        key = (*map(id, of), *plain)
        if key not in self._known:
            self._known[key] = (of, make())
        made: A = self._known[key][1]
        return made


def _arrays(task: Task, place: dict[str, int], row: Reading) -> tuple[object, ...]:
    """One case's part of each field of ``AnswerArrays``."""
    rounds = [_round(task, place, answers) for answers in (row.first, [a for a in row.second if a.round > 1])]
    (first, one, answered), (second, two, again) = rounds
    return first, second, one, two, answered, again, nearness_of(row.evidence), bool(row.evidence.unusual)


def _round(task: Task, place: dict[str, int], answers: Iterable[Answer]) -> tuple[Matrix, NDArray[np.str_], Flags]:
    opinions = np.full((len(place), len(task.names)), np.nan)
    sources, answered = np.full(len(place), "", "<U24"), np.zeros(len(place), dtype=bool)
    for answer in answers:
        if (i := place.get(answer.agent)) is None:
            continue
        answered[i] = True
        if isinstance(answer, Opinion):
            opinions[i], sources[i] = answer.vector(task), answer.confidence_source
    return opinions, sources, answered


def _learned(arbiter: Arbiter, spared: Flags) -> Learned:
    """What fuses the first round where these agents are spared."""
    return arbiter.local if arbiter.local is not None and spared.any() else arbiter.first


def _opens(gate: Gate | None, task: Task, posterior: Matrix) -> Flags:
    if gate is None:
        return np.zeros(len(posterior), dtype=bool)
    return gate.opens(doubts(task, posterior))


def _decided(arbiter: Arbiter, posterior: Matrix) -> tuple[Labels, Flags]:
    """The cheapest label and whether it is committed to: expected cost and promised risk allow it."""
    best = best_of(arbiter.task, posterior)
    committed = best.pays & (best.cost <= arbiter.commitment.limit) & spoken(posterior)
    if arbiter.selective is not None:
        committed &= arbiter.selective.commits(posterior.max(axis=1))
    return best.label, committed
