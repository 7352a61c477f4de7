"""Scripted parts that pass the same contracts as the real ones, and small real images."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.evidence import Evidence, EvidenceQuality, Neighbour
from doubleread.core.opinion import Answer, ConfidenceSource, Opinion
from doubleread.core.task import Task

TASK = Task.of("leaves", ["healthy", "rust", "scab"])


def case_of(name: str, **fields: object) -> Case:
    """A case without pixels."""
    return Case.model_validate({"id": hashlib.sha256(name.encode()).hexdigest(), "source": name, **fields})


def opinion(agent: str, *shares: float, task: Task = TASK, round: int = 1, source: ConfidenceSource = "softmax"):
    return Opinion.from_vector(agent, task, np.array(shares), source, round=round)


def evidence_for(label: str, task: Task = TASK, *, similarity: float = 0.9, margin: float = 0.8) -> Evidence:
    """Evidence of five neighbours that all carry one label."""
    rest = (1 - margin) / len(task.names)
    shares = {name: rest + (margin if name == label else 0) for name in task.names}
    return Evidence(
        neighbours=tuple(
            Neighbour(case_id=f"{i:064x}", label=label, similarity=similarity - i / 100) for i in range(5)
        ),
        distribution=shares,
        as_indexed=shares,
        quality=EvidenceQuality(similarity=similarity, agreement=1.0, margin=margin),
    )


@dataclass
class ScriptedAgent:
    """Says what it was told to say; reconsiders only if told how."""

    name: str
    says: Answer | Exception
    delay: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def read(self, case: Case) -> Answer:
        self.asked.append(case.id)
        await asyncio.sleep(self.delay)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@dataclass
class SecondThoughts(ScriptedAgent):
    """Also reconsiders."""

    then_says: Answer | Exception | None = None
    shown: list[Evidence] = field(default_factory=list)

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        self.shown.append(evidence)
        answer = self.then_says or self.says
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class ScriptedRetriever:
    evidence: Evidence

    async def find(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Evidence:
        return self.evidence

    async def contrast(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        found = [n for label in labels for n in self.evidence.neighbours if n.label == label]
        return tuple(found[:per_label])

    async def distributions(self, case: Case, views: Sequence[str]) -> np.ndarray:
        return np.array([list(self.evidence.distribution.values())] * len(views))


@dataclass
class TableEmbedder:
    """Embeddings from a table ``case id → vector``; a view shifts the vector a little."""

    table: dict[str, np.ndarray]

    async def embed(self, case: Case, views: Sequence[str] = (WHOLE,)) -> np.ndarray:
        if case.id not in self.table:
            raise ImageError("missing", f"{case.source} is not in the table")
        rows = np.stack([self.table[case.id] + 0.02 * i for i in range(len(views))])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clusters(n: int, dim: int = 16, labels: int = 3, *, spread: float = 0.25, seed: int = 0):
    """Unit vectors around one centre a label, and their label indices."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(labels, dim))
    y = np.arange(n) % labels
    x = centres[y] + spread * np.linalg.norm(centres[0]) * rng.normal(size=(n, dim)) / np.sqrt(dim) * 2
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), y.astype(np.int64)


def photo(path: Path, hue: int, seed: int, side: int = 64) -> Path:
    """A noisy picture with a coloured disc: easy to tell apart by colour, never twice the same."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 150, (side, side, 3))
    yy, xx = np.mgrid[:side, :side]
    disc = (yy - rng.integers(20, 44)) ** 2 + (xx - rng.integers(20, 44)) ** 2 < rng.integers(120, 300)
    pixels[disc, hue] = 250
    pixels[disc, (hue + 1) % 3] = 20
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def photo_folder(root: Path, n: int = 24, labels: Sequence[str] = ("blue", "green", "red")) -> Path:
    """A data set of ``n`` pictures a label, one sub-folder each."""
    for hue, label in enumerate(labels):
        for i in range(n):
            photo(root / label / f"{label}-{i:03}.png", hue, seed=1000 * hue + i)
    return root


def unspaced(text: str) -> str:
    """The text without white space, to compare it wherever a terminal has broken its lines."""
    return "".join(text.split())
