"""The composition root: the only module that turns settings into parts."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from doubleread.agents.context import AgentContext, Sight
from doubleread.agents.local_agents import AGENTS, ANY_ENCODER
from doubleread.agents.recorded.book import read_book
from doubleread.agents.recorded.recorder import replay
from doubleread.core.agent_ports import PATCHES, TEXTURE, WHOLE, Agent, Deliberates
from doubleread.core.case import Case
from doubleread.core.errors import PanelError, UnknownPart
from doubleread.core.ports import CaseStore, Encoder, PatchEncoder, TextEncoder
from doubleread.core.task import Task
from doubleread.core.types import Embeddings
from doubleread.core.verdict import Unread
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.conformal.scores import SCORES
from doubleread.orchestrator.fusion import FUSION_RULES
from doubleread.orchestrator.learning.choice import AUTO
from doubleread.panel.fitted_pictures import image_policy
from doubleread.prompts.library import Library
from doubleread.prompts.prompt import Prompt
from doubleread.rag.cache import EncodingCache
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.encoders import EncoderChoice, build, choose
from doubleread.rag.encoders.marked_encoder import marked
from doubleread.rag.images.case_images import Images
from doubleread.rag.images.image_policy import shown_policy
from doubleread.rag.images.image_views import CROPS, VIEWS_VERSION
from doubleread.rag.images.picture_statistics import PictureStatistics
from doubleread.rag.near_copies.copy_finder import CopyFinder
from doubleread.rag.near_copies.near_duplicates import NearRule
from doubleread.rag.nearest_cases import Weighting
from doubleread.rag.retrieval import StoreRetriever
from doubleread.rag.stores import STORES
from doubleread.settings import Settings
from doubleread.settings_sections import EncoderOptions, RecordedOptions

if TYPE_CHECKING:
    from doubleread.panel.models import Models

TEMPLATES = "clip-zero-shot"
_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_-]*$")
VIEWS = (WHOLE, *CROPS)
"""Views of a second look: the whole image, which the first look has encoded, and its crops."""
SIGHTS = {TEXTURE: "colour-texture"}
"""Features that some agents use in place of the panel's embeddings, and the encoders that compute them."""


@dataclass(frozen=True)
class EncodedCases:
    """Features of many cases; rows are the cases that all encoders could read."""

    kept: tuple[int, ...]
    """Index of each row's case among the cases given."""
    embeddings: Embeddings
    """Embeddings of the panel's encoder, shape ``(len(kept), len(views), dim)``."""
    sights: Mapping[str, Embeddings]
    """Features by sight, of the same shape, each with its own ``dim``."""
    unread: tuple[Unread, ...]


@dataclass
class Eyes:
    """Shared access to pixels: the encoder and its embedder, other feature spaces, and the connection to models."""

    choice: EncoderChoice
    encoder: Encoder
    images: Images
    embedder: CachedEmbedder
    pictures: CachedEmbedder
    """Statistics of pictures, which agents do not use."""
    prompts: Library
    models: "Models | None" = None
    """None if no agent of the panel asks a model."""
    sights: Mapping[str, CachedEmbedder] = field(default_factory=dict)
    """Those of ``SIGHTS`` that some agent of the panel uses."""
    near: NearRule | None = None
    """The rule for near copies; None while no copies are sought."""

    async def embed(self, case: Case) -> None:
        """Encodes a case with all encoders, so that agents need not wait; raises ``ImageError``."""
        await asyncio.gather(*(embedder.embed(case) for embedder in (*self._embedders, self.pictures)))

    def embed_all(
        self,
        cases: Sequence[Case],
        views: Sequence[str] = (WHOLE,),
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> EncodedCases:
        """Encodes many cases with one encoder after the other; ``progress(done, total)`` counts cases."""

        def part(i: int) -> Callable[[int, int], None]:
            return lambda done, total: progress((i * total + done) // len(self._embedders), total)

        found = [one.embed_all(cases, views, part(i)) for i, one in enumerate(self._embedders)]
        kept = sorted(set.intersection(*(set(one.kept) for one in found)))
        first, *others = (one.embeddings[np.searchsorted(one.kept, kept)] for one in found)
        unread = dict.fromkeys(row for one in found for row in one.unread)
        return EncodedCases(tuple(kept), first, dict(zip(self.sights, others, strict=True)), tuple(unread))

    def warm_up(self) -> Embeddings:
        """Encodes a blank image with every encoder, so that the first case does not wait for initialisation.

        Returns its embedding, ``(1, dim)``.
        """
        first, *_ = [one.encoder.encode([Image.new("RGB", (64, 64), "gray")]) for one in self._embedders]
        return first

    @property
    def _embedders(self) -> tuple[CachedEmbedder, ...]:
        return (self.embedder, *self.sights.values())

    def close(self) -> None:
        for embedder in (*self._embedders, self.pictures):
            embedder.close()
        if self.models is not None:
            self.models.close()


def check_names(settings: Settings) -> None:
    """Raises ``UnknownPart`` for an unregistered name in the settings, before anything heavy is loaded."""
    _check_agents(settings)
    CALIBRATORS.check({settings.trust.calibrator} - {AUTO})
    FUSION_RULES.check({settings.fusion.rule} - {AUTO})
    SCORES.check([settings.trust.sets])
    STORES.check([settings.retrieval.store])


def _check_agents(settings: Settings) -> None:
    named = [*settings.vlm, *settings.reasoner, *settings.recorded]
    known = (*AGENTS.names(), *named)
    for name in settings.panel.agents:
        if name.partition("@")[0] not in known:
            raise UnknownPart("agent", name, known)
        if "@" in name:
            _check_sight(name, settings)
    if len(set(settings.panel.agents)) < len(settings.panel.agents):
        raise PanelError(f"panel.agents names an agent twice: {', '.join(settings.panel.agents)}")
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise PanelError(f"several agents go by one name ({', '.join(twice)}): rename the tables in the settings")
    if odd := [name for name in (*named, *settings.encoders) if not _NAME.match(name)]:
        raise PanelError(f"{odd[0]!r} is no name for a table: use letters, digits, dashes and underscores")
    if taken := sorted(set(settings.encoders) & set(SIGHTS)):
        raise PanelError(f"encoder.{taken[0]}: this name is taken by the features of an agent; use another")
    if set(settings.panel.agents) <= set(settings.reasoner):
        raise PanelError("panel.agents names only referees; they need readers to weigh")


def _check_sight(name: str, settings: Settings) -> None:
    """Checks the name of an agent that uses another encoder, such as ``discriminant@dino``."""
    agent, _, sight = name.partition("@")
    if sight not in settings.encoders:
        raise UnknownPart("encoder", sight, sorted(settings.encoders) or ["none: add a table [encoder.NAME]"])
    if agent not in AGENTS.having(ANY_ENCODER):
        able = ", ".join(f"{one}@{sight}" for one in sorted(AGENTS.having(ANY_ENCODER)))
        raise PanelError(f"panel.agents: {agent} cannot use another encoder; possible: {able}")


def open_eyes(
    settings: Settings,
    choice: EncoderChoice | None = None,
    prompt_versions: Mapping[str, int] | None = None,
    near: NearRule | None = None,
    limits: tuple[float, float] | None = None,
) -> Eyes:
    """Opens the encoder of the settings, its cache, the shared embedder, and the connection to models.

    ``choice``, ``prompt_versions``, ``near`` and ``limits`` are those of a fitted panel.
    """
    choice, encoder = open_encoder(settings, choice)
    images, prompts = images_of(settings, limits), library(settings, prompt_versions)
    models = _models(settings, images, prompts)
    sights = {
        name: embedder_of(encoder, images, settings)
        for name, encoder in {**_built_in_sights(settings), **_named_sights(settings)}.items()
    }
    pictures = embedder_of(PictureStatistics(), images, settings)
    embedder = embedder_of(encoder, images, settings, patches=PATCHES in settings.panel.agents)
    return Eyes(choice, embedder.encoder, images, embedder, pictures, prompts, models, sights, near)


def _built_in_sights(settings: Settings) -> dict[str, Encoder]:
    return {name: build(spec) for name, spec in SIGHTS.items() if name in settings.panel.agents}


def _named_sights(settings: Settings) -> dict[str, Encoder]:
    return {name: encoder_of(settings.encoders[name]) for name in sorted(settings.sights)}


def images_of(settings: Settings, limits: tuple[float, float] | None = None) -> Images:
    """Returns what opens images as the settings say; thumbnails and previews may show the same images."""
    policy = image_policy(settings, limits)
    shown_policy.allow(policy)
    return Images(policy)


def open_encoder(settings: Settings, choice: EncoderChoice | None = None) -> tuple[EncoderChoice, Encoder]:
    """Loads the encoder of the settings, or the given choice."""
    choice = choice or choose(settings.encoder.name)
    return choice, encoder_of(settings.encoder, choice.name)


def encoder_of(options: EncoderOptions, name: str = "") -> Encoder:
    """Loads the encoder of a table of the settings; ``name`` in place of the one that it names."""
    checkpoint = Path(options.checkpoint).expanduser() if options.checkpoint else None
    return build(name or options.name, device=options.device, checkpoint=checkpoint, download=options.download)


def embedder_of(encoder: Encoder, images: Images, settings: Settings, *, patches: bool = False) -> CachedEmbedder:
    """Returns an embedder with the cache of the settings. Its encoder bears the mark of how the images are read.

    With ``patches`` it also gives patches; raises ``PanelError`` if the encoder has none.
    """
    shown, patch_encoder = marked(encoder, images.policy.mark), _patch_encoder(encoder) if patches else None
    cache = encodings_of(settings, shown.fingerprint)
    return CachedEmbedder(shown, images, cache, patch_encoder=patch_encoder)


def _patch_encoder(encoder: Encoder) -> PatchEncoder:
    if not isinstance(encoder, PatchEncoder):
        raise PanelError(
            f"panel.agents names {PATCHES}, but the encoder {encoder.fingerprint} gives no patches: use "
            f"efficientnet-lite0 or a ViT, or leave {PATCHES} out"
        )
    return encoder


def encodings_of(settings: Settings, fingerprint: str) -> EncodingCache:
    """Returns the cache of an encoder's encodings of images that are read as the settings say."""
    frame = f"-frame{settings.images.frame}" if settings.images.frame else ""
    return EncodingCache(settings.cache_folder, f"{fingerprint}-{VIEWS_VERSION}{frame}")


def library(settings: Settings, versions: Mapping[str, int] | None = None) -> Library:
    """Returns the prompts, including the user's own; raises ``PromptError``."""
    return Library(Path(settings.prompts.folder).expanduser() if settings.prompts.folder else None, versions)


def _models(settings: Settings, images: Images, prompts: Library) -> "Models | None":
    """Returns the connection to models; None if no agent of the panel asks one."""
    if not any(name in settings.vlm or name in settings.reasoner for name in settings.panel.agents):
        return None
    from doubleread.panel.models import Models  # noqa: PLC0415 - loads openai, which local panels do without

    return Models.open(settings, images, prompts)


@dataclass
class Seated:
    """Agents that share a store, fitted or not."""

    task: Task
    agents: dict[str, Agent]
    referees: dict[str, Deliberates]
    retriever: StoreRetriever
    prompts: tuple[Prompt, ...]
    """Every prompt that an agent may use."""
    context: AgentContext
    """Objects that the local agents share."""
    second_prompts: dict[str, str] = field(default_factory=dict)
    """Prompts that fitting chose for the second look in place of that of the settings, by agent."""

    def warm_up(self) -> None:
        """Prepares what the first reading would otherwise wait for."""
        if self.context.text is not None:
            _ = self.context.prototypes


def seat(settings: Settings, task: Task, eyes: Eyes, store: CaseStore, weighting: Weighting | None = None) -> Seated:
    """Builds the agents of the settings with shared encoders, store and evidence; ``weighting`` as fitted before."""
    finder = None if eyes.near is None else CopyFinder(eyes.near, eyes.images)
    retriever = StoreRetriever(store, eyes.embedder, task, settings.retrieval.k, weighting, finder)
    context = AgentContext(
        task=task,
        embedder=eyes.embedder,
        retriever=retriever,
        vectors=_vectors_of(store),
        text=_text_tower(eyes.encoder),
        templates=tuple(eyes.prompts.get(TEMPLATES).render("user", phrase="{}").splitlines()),
        sights={name: Sight(one, _text_tower(one.encoder)) for name, one in eyes.sights.items()},
        patches=eyes.embedder if PATCHES in settings.panel.agents else None,
        views=VIEWS,
    )
    readers, referees = _readers(settings, context, eyes), _referees(settings, task, eyes)
    asked = {
        prompt.ref: prompt for one in (*readers.values(), *referees.values()) for prompt in getattr(one, "prompts", ())
    }
    reads_text = any(_text_tower(one.encoder) for one in (eyes.embedder, *eyes.sights.values()))
    templates = (eyes.prompts.get(TEMPLATES),) if reads_text else ()
    return Seated(task, readers, dict(referees), retriever, (*templates, *asked.values()), context)


def _readers(settings: Settings, context: AgentContext, eyes: Eyes) -> dict[str, Agent]:
    found: dict[str, Agent] = {}
    contexts = {sight: context.seen_with(sight) for sight in ("", *eyes.sights)}
    for name in settings.panel.agents:
        if name in settings.vlm and eyes.models is not None:
            found[name] = eyes.models.reader(name, context.task)
        elif name in settings.recorded:
            found[name] = _recorded(name, settings.recorded[name], context.task)
        elif name not in settings.reasoner:
            found[name] = _local(name, contexts)
    return found


def _local(name: str, contexts: Mapping[str, AgentContext]) -> Agent:
    """Builds a local agent; behind ``@`` stands the encoder that it uses in place of the panel's."""
    kind, _, sight = name.partition("@")
    made = AGENTS.get(kind)
    agent: Agent = made(contexts[sight or getattr(made, "sight", "")])
    return agent


def _text_tower(encoder: Encoder) -> TextEncoder | None:
    return encoder if isinstance(encoder, TextEncoder) else None


def _referees(settings: Settings, task: Task, eyes: Eyes) -> dict[str, Deliberates]:
    if eyes.models is None:
        return {}
    return {name: eyes.models.referee(name, task) for name in settings.panel.agents if name in settings.reasoner}


def _recorded(name: str, options: RecordedOptions, task: Task) -> Agent:
    path = Path(options.file).expanduser()
    book = read_book(path, options.columns, agent=options.agent or name, task=task)
    return replay(name, book, options.agent)


def _vectors_of(store: CaseStore) -> Callable[[Sequence[str]], Embeddings]:
    """Returns a function from case ids to current stored embeddings."""

    def vectors(ids: Sequence[str]) -> Embeddings:
        columns = store.columns()
        return columns.embeddings[[columns.position[case_id] for case_id in ids]]

    return vectors
