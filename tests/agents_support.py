"""What the local agents are given in tests: embeddings around three centres, and phrases that lie there too."""

import numpy as np
from kit import TASK, ScriptedRetriever, TableEmbedder, case_of, clusters, evidence_for

from doubleread.agents.context import AgentContext
from doubleread.agents.local_agents import AGENTS
from doubleread.core.agent_ports import Learns
from doubleread.core.errors import ImageError
from doubleread.core.evidence import Evidence, Neighbour

X, Y = clusters(90)
CASES = [case_of(f"case {i}", label=TASK.names[Y[i]]) for i in range(len(Y))]
TABLE = {case.id: X[i] for i, case in enumerate(CASES)}


class Phrases:
    """A text tower that places each label's phrases at its cluster's mean."""

    logit_scale = 20.0

    def encode_text(self, texts):
        rows = np.stack([next(X[k == Y].mean(axis=0) for k in range(3) if TASK.names[k] in text) for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class BrokenImages:
    """Embeds nothing."""

    async def embed(self, case, views=()):
        raise ImageError("corrupt", "the file ends too early")


def context(**changes):
    parts = {
        "task": TASK,
        "embedder": TableEmbedder(TABLE),
        "retriever": ScriptedRetriever(evidence_for("rust")),
        "vectors": lambda ids: np.stack([TABLE[i] for i in ids]),
        "text": Phrases(),
        "templates": ("a photo of {}.",),
        "views": ("whole", "centre"),
    }
    parts = {**parts, **changes}
    return AgentContext(**parts)


def retrieved(*rows: int) -> Evidence:
    """Evidence of these cases, with their own labels."""
    found = (Neighbour(case_id=CASES[i].id, label=TASK.names[Y[i]], similarity=0.9) for i in rows)
    return Evidence(neighbours=tuple(found))


def fitted(name: str, **changes):
    """The agent of that name, fitted on the first 60 cases where it learns."""
    agent = AGENTS.get(name)(context(**changes))
    return agent.fit(X[:60], Y[:60]) if isinstance(agent, Learns) else agent
