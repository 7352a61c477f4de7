"""doubleread's orchestration of recorded answers: the live code, each case judged by a fit that never saw it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from doubleread.core.agent_ports import Reconsiders
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence, EvidenceQuality
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.progress import Progress, silent
from doubleread.core.task import Task
from doubleread.core.types import Tensor3
from doubleread.evals.case_replay import replay_case
from doubleread.evals.paper import RecordedPanel
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Learning, Readings, fit_arbiter
from doubleread.orchestrator.resampling import grouped_folds

RETRIEVAL = "retrieval"


@dataclass(frozen=True)
class Replay:
    """What cross-fitting gave: ``posterior`` of shape ``(repeats, n, k)``, and which cases were looked at again."""

    posterior: Tensor3
    looked_again: NDArray[np.bool_]
    """Shape ``(repeats, n)``."""
    committed: NDArray[np.bool_]
    cost_usd: NDArray[np.float64]
    """Of the answers that were asked for, shape ``(repeats, n)``."""


async def readings_of(panel: RecordedPanel, agents: Sequence[str]) -> Readings:
    """Both rounds of the recorded answers, with retrieval's distribution as evidence."""
    first = [[await panel.agents[name].read(case) for name in agents] for case in panel.cases]
    evidence = [_evidence(await panel.agents[RETRIEVAL].read(case), panel.task) for case in panel.cases]
    second = [
        [await _again(panel, name, case, found, answer) for name, answer in zip(agents, said, strict=True)]
        for case, said, found in zip(panel.cases, first, evidence, strict=True)
    ]
    labels = np.array([panel.task.index(str(case.label)) for case in panel.cases], dtype=np.int64)
    return Readings(first, second, evidence, labels, None, "recorded answers")


def replay(
    task: Task,
    agents: tuple[str, ...],
    readings: Readings,
    *,
    learning: Learning,
    policy: Policy,
    repeats: int = 20,
    folds: int = 5,
    progress: Progress = silent,
) -> Replay:
    """Fits the arbiter on four fifths and lets it judge the rest, ``repeats`` times over with seeds 0, 1, 2…"""
    n, k = len(readings.labels), len(task.names)
    found = Replay(
        posterior=np.full((repeats, n, k), np.nan),
        looked_again=np.zeros((repeats, n), dtype=bool),
        committed=np.zeros((repeats, n), dtype=bool),
        cost_usd=np.zeros((repeats, n)),
    )
    learning = replace(learning, draws=2)  # nobody sees these profiles' intervals
    for r in range(repeats):
        for fold in grouped_folds(readings.labels, None, folds, seed=r):
            arbiter = fit_arbiter(task, agents, readings.rows(fold.train), policy, learning)
            for i in fold.test:
                _judge(arbiter, agents, readings, int(i), r, found)
        progress("replaying", r + 1, repeats)
    return found


def _judge(arbiter: Arbiter, agents: Sequence[str], readings: Readings, i: int, r: int, found: Replay) -> None:
    first, second = _named(agents, readings.first[i]), _named(agents, readings.second[i])
    course = replay_case(arbiter, first, second, readings.evidence[i])
    found.looked_again[r, i] = course.round > 1
    found.posterior[r, i] = [course.assessment.scores[name] for name in arbiter.task.names]
    found.committed[r, i] = course.assessment.decision.action == "commit"
    found.cost_usd[r, i] = sum(answer.usage.cost_usd or 0.0 for answer in course.answers.values())


def _named(agents: Sequence[str], answers: Sequence[Answer]) -> Mapping[str, Answer]:
    return dict(zip(agents, answers, strict=True))


async def _again(panel: RecordedPanel, name: str, case: Case, evidence: Evidence, first: Answer) -> Answer:
    agent = panel.agents[name]
    return await agent.reconsider(case, evidence) if isinstance(agent, Reconsiders) else first


def _evidence(answer: Answer, task: Task) -> Evidence:
    """The vote of the nearest cases; which cases they were, and how similar, is not on record."""
    if not isinstance(answer, Opinion):
        return Evidence(neighbours=(), failure="not recorded")
    shares = np.sort(answer.vector(task))
    quality = EvidenceQuality(similarity=0.0, agreement=float(shares[-1]), margin=float(shares[-1] - shares[-2]))
    return Evidence(neighbours=(), distribution=answer.probabilities, as_indexed=answer.probabilities, quality=quality)
