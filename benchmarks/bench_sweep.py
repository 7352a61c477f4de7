"""How fast recorded answers are replayed under many policies."""

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.figure import Figure
from doubleread.core.evidence import Evidence, EvidenceQuality
from doubleread.core.opinion import Opinion
from doubleread.core.reading import Reading
from doubleread.core.task import Costs, Task
from doubleread.core.types import Labels, Matrix, Tensor3
from doubleread.evals.vector_replay import AnswerArrays, VectorReplay
from doubleread.orchestrator.course.kept import readings_of
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Grounds, Learning, sources

TASK = Task.of("synthetic", ["a", "b", "c", "d"])
CASES, CALIBRATION, LABELS = 5000, 400, 4
AGENTS = ("one", "two", "three", "four", "five")
SHARES = tuple(np.linspace(0.0, 0.5, 20).tolist())
REFERRALS = (0.05, 0.1, 0.2, 0.3, 0.4)


def sweep(target: str = ">= 10000") -> Iterator[Figure]:
    """Cases replayed in a second of one core: 5,000 cases of five agents in both rounds, under 100 policies.

    Fusion is learned once before the clock starts; it counts what is common to all policies (fusing both rounds, how
    familiar each case is) and each policy's course. The second figure also counts learning each policy's gates.
    """
    rows = _rows(CASES + CALIBRATION)
    learned = readings_of(TASK, AGENTS, rows[:CALIBRATION], "")
    grounds = Grounds.of(TASK, AGENTS, learned, Learning(rule="log-pool", calibrator="temperature"))
    said = AnswerArrays.of(TASK, AGENTS, rows[CALIBRATION:]).usable(sources(AGENTS, learned))
    began = time.process_time()
    arbiters = [
        grounds.at(Costs(referral=referral)).settled(Policy(max_share=share))[0]
        for referral in REFERRALS
        for share in SHARES
    ]
    learning, began = time.process_time() - began, time.process_time()
    replay = VectorReplay(said)
    looked = [float(replay.run(arbiter).looked_again.mean()) for arbiter in arbiters]
    replaying, n = time.process_time() - began, len(arbiters) * CASES
    note = f"{len(arbiters)} policies, {CASES:,} cases; looked at again: {min(looked):.0%} to {max(looked):.0%}"
    yield Figure(name="sweep.replayed_a_second", value=n / replaying, n=n, target=target, note=note)
    yield Figure(name="sweep.with_gates_learned_a_second", value=n / (replaying + learning), n=n)


def _rows(n: int) -> list[Reading]:
    """Readers that are right in two thirds of cases at first, and more often in a second look."""
    rng = np.random.default_rng(0)
    truth = rng.integers(LABELS, size=n)
    first, second = (_said(rng, truth, skill) for skill in (1.5, 2.5))
    near = rng.normal(0.8, 0.05, n)
    return [_row(i, int(truth[i]), first[i], second[i], float(near[i])) for i in range(n)]


def _said(rng: np.random.Generator, truth: Labels, skill: float) -> Tensor3:
    logits = rng.normal(size=(len(truth), len(AGENTS), LABELS)) + skill * np.eye(LABELS)[truth][:, None]
    shares = np.exp(logits)
    return np.asarray(shares / shares.sum(axis=2, keepdims=True))


def _row(i: int, truth: int, first: Matrix, second: Matrix, near: float) -> Reading:
    rounds = [
        tuple(Opinion.from_vector(name, TASK, p, "softmax", round=turn) for name, p in zip(AGENTS, said, strict=True))
        for turn, said in ((1, first), (2, second))
    ]
    quality = EvidenceQuality(similarity=near, agreement=1.0, margin=1.0)
    evidence = Evidence(neighbours=(), quality=quality)
    return Reading(case=str(i), label=TASK.names[truth], first=rounds[0], second=rounds[1], evidence=evidence)
