"""The interfaces (protocols) between the parts of a panel.

A class that has these methods is a part; it need not inherit from anything. The contract tests in ``tests/contracts``
run on every registered part.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, runtime_checkable

from PIL import Image

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Answer
from doubleread.core.stored import Columns, StoredCase, Wanted
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Embeddings, Json, Labels, Matrix, Tensor3, Vector

WHOLE = "whole"
"""Name of the view that is the whole image; other views are crops."""
TEXTURE = "texture"
"""The ``sight`` of agents that learn from colour and texture."""


@runtime_checkable
class Agent(Protocol):
    """Reads a case and gives an opinion.

    For a case that it cannot judge an agent returns an ``Abstention`` with a cause; it does not raise.

    Examples:
        >>> from doubleread.core.ports import Agent
        >>> class AlwaysRed:
        ...     name = "always-red"
        ...
        ...     async def read(self, case):
        ...         task = doubleread.Task.of("discs", ["blue", "green", "red"])
        ...         return doubleread.Opinion.from_vector(self.name, task, [0.1, 0.1, 0.8], "softmax")
        >>> isinstance(AlwaysRed(), Agent)
        True
    """

    @property
    def name(self) -> str:
        """The name it has in settings and verdicts."""
        ...

    async def read(self, case: Case) -> Answer:
        """Gives the answer of a first look at a case."""
        ...


@runtime_checkable
class Reconsiders(Protocol):
    """An agent that can take a second look, with evidence."""

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        """Gives the answer of a second look (``round=2``). The first answer is not shown to the agent."""
        ...


@runtime_checkable
class ReadsViews(Protocol):
    """An agent that can read views of an image (crops, covered parts) cheaply, one by one."""

    async def read_views(self, case: Case, views: Sequence[str]) -> tuple[Answer, ...]:
        """Gives one first-look answer for each view."""
        ...


@runtime_checkable
class TakesItsTime(Protocol):
    """An agent with a time limit of its own, which replaces ``panel.agent_timeout_s``."""

    @property
    def deadline_s(self) -> float:
        """The limit, in seconds."""
        ...


@runtime_checkable
class Rephrases(Protocol):
    """An agent that can be asked the same question in other words, or with its options in another order."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, with the kind before a colon: ``paraphrase:…``, ``permutation:…``."""
        ...

    async def read_as(self, case: Case, variant: str) -> Answer:
        """Gives the answer to one variant of the question."""
        ...


@runtime_checkable
class TakesHints(Protocol):
    """An agent that can be given a hint: an unverified note of a person about the case."""

    def hinted(self, hint: str) -> Agent:
        """Returns an agent of the same name that is given the hint. Trust was not measured with hints."""
        ...


@runtime_checkable
class Deliberates(Protocol):
    """A referee: it weighs what the agents say and never sees the image."""

    @property
    def name(self) -> str:
        """The name it has in settings and verdicts."""
        ...

    async def deliberate(
        self, answers: Mapping[str, Answer], profiles: Mapping[str, TrustProfile], evidence: Evidence | None
    ) -> Answer:
        """Gives an answer from the agents' answers and trust profiles, both by agent name, and the evidence."""
        ...


@runtime_checkable
class Learns(Protocol):
    """An agent that is fitted on labelled embeddings. It is saved as a JSON object and named arrays."""

    def fit(self, embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None = None) -> Self:
        """Fits the agent and returns it.

        Args:
            embeddings: Unit-length rows, shape ``(n, dim)``.
            labels: Label indices in task order, shape ``(n,)``.
            groups: A group for each row, which the agent's own cross-validation must not split.
        """
        ...

    def state(self) -> tuple[Json, dict[str, Embeddings | Matrix]]:
        """Returns what ``restore`` needs.

        Raises:
            NotFitted: The agent has not been fitted.
        """
        ...

    def restore(self, settings: Json, arrays: dict[str, Embeddings | Matrix]) -> Self:
        """Takes over a saved state and returns the agent."""
        ...


@runtime_checkable
class HasSight(Protocol):
    """A learning agent that uses other features than the embeddings of the panel's encoder."""

    @property
    def sight(self) -> str:
        """Name of the features, such as ``TEXTURE``."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns images into unit-length vectors.

    Examples:
        >>> from PIL import Image
        >>> from doubleread.rag.encoders import build
        >>> encoder = build("colour-texture")
        >>> encoder.encode([Image.new("RGB", (64, 64), "red")]).shape == (1, encoder.dim)
        True
    """

    @property
    def fingerprint(self) -> str:
        """Identifies weights and preprocessing. It changes whenever the embeddings would."""
        ...

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        ...

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Returns unit-length rows, shape ``(len(images), dim)``."""
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """An encoder that also turns texts into vectors of the same space, such as CLIP."""

    @property
    def logit_scale(self) -> float:
        """Inverse temperature of the softmax over cosine similarities."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Embeddings:
        """Returns unit-length rows, shape ``(len(texts), dim)``."""
        ...


class ImageSource(Protocol):
    """Opens the image of a case."""

    def open(self, case: Case, *, max_side: int | None = None) -> Image.Image:
        """Returns the image as 8-bit RGB, upright, its longer side at most ``max_side`` pixels.

        Raises:
            ImageError: The image cannot be used.
        """
        ...


class Embedder(Protocol):
    """Gives the embeddings of a case. Each is computed once and shared."""

    async def embed(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Embeddings:
        """Returns one row for each view, shape ``(len(views), dim)``.

        Raises:
            ImageError: The image cannot be used.
        """
        ...


@runtime_checkable
class CaseStore(Protocol):
    """Labelled cases and their embeddings of one encoder.

    Searches look only at cases that match ``wanted``, and skip those that ``exclude_ids`` and ``exclude_groups`` name.

    Raises:
        StoreError: The store cannot be read or written.
    """

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the encoder."""
        ...

    def add(self, cases: Sequence[Case], embeddings: Embeddings) -> None:
        """Adds labelled cases, or replaces those with the same id."""
        ...

    def put(self, stored: Sequence[StoredCase], embeddings: Embeddings) -> object:
        """Like ``add``, for cases that come with tags, time and reviewer."""
        ...

    def remove(self, ids: Sequence[str], *, reviewer: str = "") -> None:
        """Removes cases; a store with a history records who did."""
        ...

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        wanted: Wanted = ...,
        exclude_ids: frozenset[str] = frozenset(),
        exclude_groups: frozenset[str] = frozenset(),
    ) -> list[list[Neighbour]]:
        """Returns the ``k`` nearest cases for each query row by cosine similarity, nearest first."""
        ...

    def search_each(
        self,
        query: Embeddings,
        labels: Sequence[str],
        k: int,
        *,
        wanted: Wanted = ...,
        exclude_ids: frozenset[str] = frozenset(),
        exclude_groups: frozenset[str] = frozenset(),
    ) -> list[Neighbour]:
        """Returns the ``k`` nearest cases of each label to one query ``(dim,)``, label by label. Always exact."""
        ...

    def get(self, ids: Sequence[str]) -> list[StoredCase]:
        """Returns the cases with these ids that the store has."""
        ...

    def columns(self) -> Columns:
        """Returns ids, labels, groups and embeddings as arrays, to learn from."""
        ...

    def export(self) -> tuple[list[Case], Embeddings]:
        """Returns all cases, sorted by id, and their embeddings."""
        ...

    def count(self) -> int:
        """Returns the number of cases."""
        ...

    def holds(self, case_id: str) -> bool:
        """Whether the store has a case with this id."""
        ...

    def version(self) -> str:
        """Returns the name of the store's present state."""
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...


class Retriever(Protocol):
    """Finds similar cases."""

    async def find(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Evidence:
        """Returns the evidence for a case.

        The label distribution is the mean over ``views``; the neighbours are those of the first view. If retrieval
        fails, ``Evidence.failure`` says why; nothing is raised.
        """
        ...

    async def contrast(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        """Returns the nearest stored cases of each label, nearest first; empty if retrieval failed."""
        ...

    async def distributions(self, case: Case, views: Sequence[str]) -> Matrix:
        """Returns the label distribution of each view, shape ``(len(views), n_labels)``.

        Raises:
            DoublereadError: Retrieval failed.
        """
        ...


@runtime_checkable
class Calibrator(Protocol):
    """Maps an agent's distributions to calibrated ones, row by row.

    Examples:
        >>> import numpy as np
        >>> from doubleread.orchestrator.calibration import CALIBRATORS
        >>> overconfident = np.array([[0.99, 0.01], [0.99, 0.01], [0.01, 0.99], [0.99, 0.01]])
        >>> fitted = CALIBRATORS.get("temperature")().fit(overconfident, np.array([0, 1, 1, 0]))
        >>> bool(fitted.apply(overconfident)[0, 0] < 0.99)
        True
    """

    kind: str
    """Name in the registry."""

    def fit(self, probabilities: Matrix, labels: Labels, case_weight: float = 1.0) -> Self:
        """Fits the map and returns the calibrator.

        Args:
            probabilities: Distributions, shape ``(n, k)``.
            labels: True label indices, shape ``(n,)``.
            case_weight: What one case counts for against the calibrator's prior; below 1 if cases resemble each other.
        """
        ...

    def apply(self, probabilities: Matrix) -> Matrix:
        """Returns calibrated distributions, shape ``(n, k)``.

        Raises:
            NotFitted: ``fit`` was not called.
        """
        ...

    def params(self) -> Json:
        """Returns a JSON object with ``kind`` and the fitted parameters."""
        ...

    @classmethod
    def from_params(cls, params: Json) -> Self:
        """Rebuilds a fitted calibrator from its ``params``."""
        ...


@runtime_checkable
class FusionRule(Protocol):
    """Combines the calibrated opinions of all agents into one posterior.

    Opinions have shape ``(n, agents, k)``; an agent without an opinion is a row of NaN and is left out. A case without
    any opinion gets the prior.

    Examples:
        >>> import numpy as np
        >>> from doubleread.orchestrator.fusion import FUSION_RULES
        >>> opinions = np.array([[[0.9, 0.1], [0.7, 0.3]], [[0.2, 0.8], [np.nan, np.nan]]])
        >>> rule = FUSION_RULES.get("panel-mean")().fit(opinions, np.array([0, 1]), np.array([0.5, 0.5]))
        >>> rule.fuse(opinions).round(2)
        array([[0.83, 0.17],
               [0.22, 0.78]])
    """

    kind: str
    """Name in the registry."""

    def fit(self, opinions: Tensor3, labels: Labels, prior: Vector, case_weight: float = 1.0) -> Self:
        """Fits the rule and returns it.

        Args:
            opinions: Calibrated opinions, shape ``(n, agents, k)``.
            labels: True label indices, shape ``(n,)``.
            prior: Label frequencies, shape ``(k,)``.
            case_weight: What one case counts for against the rule's prior.
        """
        ...

    def fuse(self, opinions: Tensor3) -> Matrix:
        """Returns posteriors, shape ``(n, k)``.

        Raises:
            NotFitted: ``fit`` was not called.
        """
        ...

    def params(self) -> Json:
        """Returns a JSON object with ``kind`` and the fitted parameters."""
        ...

    @classmethod
    def from_params(cls, params: Json) -> Self:
        """Rebuilds a fitted rule from its ``params``."""
        ...


__all__ = [
    "TEXTURE",
    "WHOLE",
    "Agent",
    "Calibrator",
    "CaseStore",
    "Deliberates",
    "Embedder",
    "Encoder",
    "FusionRule",
    "HasSight",
    "ImageSource",
    "Learns",
    "ReadsViews",
    "Reconsiders",
    "Rephrases",
    "Retriever",
    "TakesHints",
    "TakesItsTime",
    "TextEncoder",
]
