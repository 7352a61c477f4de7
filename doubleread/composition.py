"""The composition root: the one place where settings turn into parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from doubleread.agents.context import AgentContext
from doubleread.agents.table import AGENTS
from doubleread.core.errors import PanelError
from doubleread.core.ports import WHOLE, Agent, CaseStore, Encoder, TextEncoder
from doubleread.core.task import Task
from doubleread.core.types import Embeddings
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.fusion import FUSION_RULES
from doubleread.prompts.loader import load_templates
from doubleread.rag.cache import EncodingCache
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.encoders import Choice, build, choose
from doubleread.rag.images import CROPS, VIEWS_VERSION, Images
from doubleread.rag.retrieval import StoreRetriever
from doubleread.rag.stores.table import STORES
from doubleread.settings import Settings

VIEWS = (WHOLE, *CROPS)
"""What a second look reads: the whole image, which the first look encoded, and its crops."""


@dataclass
class Eyes:
    """Everything that looks at pixels: one encoder and one embedder that all parts share."""

    choice: Choice
    encoder: Encoder
    images: Images
    embedder: CachedEmbedder

    def close(self) -> None:
        self.embedder.close()


def check_names(settings: Settings) -> None:
    """Raises ``UnknownPart`` for a name in the settings that no table knows, before anything heavy is loaded."""
    AGENTS.check(settings.panel.agents)
    CALIBRATORS.check([settings.trust.calibrator])
    FUSION_RULES.check([settings.fusion.rule])
    STORES.check([settings.retrieval.store])
    if len(set(settings.panel.agents)) < len(settings.panel.agents):
        raise PanelError(f"panel.agents names an agent twice: {', '.join(settings.panel.agents)}")


def open_eyes(settings: Settings, choice: Choice | None = None) -> Eyes:
    """The encoder that the settings ask for (or that was chosen before), its cache and the shared embedder."""
    choice = choice or choose(settings.encoder.name)
    checkpoint = Path(settings.encoder.checkpoint).expanduser() if settings.encoder.checkpoint else None
    encoder = build(
        choice.name, device=settings.encoder.device, checkpoint=checkpoint, download=settings.encoder.download
    )
    images = Images()
    cache = EncodingCache(settings.cache_folder, f"{encoder.fingerprint}-{VIEWS_VERSION}")
    return Eyes(choice, encoder, images, CachedEmbedder(encoder, images, cache))


@dataclass
class Seated:
    """Agents around one store, fitted or not."""

    task: Task
    agents: dict[str, Agent]
    retriever: StoreRetriever


def seat(settings: Settings, task: Task, eyes: Eyes, store: CaseStore) -> Seated:
    """The agents of the settings, sharing eyes, store and evidence."""
    retriever = StoreRetriever(store, eyes.embedder, task, k=settings.retrieval.k)
    context = AgentContext(
        task=task,
        embedder=eyes.embedder,
        retriever=retriever,
        vectors=_vectors_of(store),
        text=eyes.encoder if isinstance(eyes.encoder, TextEncoder) else None,
        templates=load_templates("clip-zero-shot").templates,
        views=VIEWS,
    )
    return Seated(task, {name: AGENTS.get(name)(context) for name in settings.panel.agents}, retriever)


def _vectors_of(store: CaseStore) -> Callable[[Sequence[str]], Embeddings]:
    """Stored embeddings by case id, read from the store once."""

    @cache
    def rows() -> dict[str, Embeddings]:
        cases, embeddings = store.export()
        return {case.id: row for case, row in zip(cases, embeddings, strict=True)}

    return lambda ids: np.stack([rows()[case_id] for case_id in ids])
