"""The interfaces (protocols) of encoders, case stores, retrievers, calibrators and fusion rules.

A class that has these methods is a part; it need not inherit from anything. The contract tests in ``tests/contracts``
run on every registered part.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self, runtime_checkable

from PIL import Image

from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.stored import Columns, StoredCase, Wanted
from doubleread.core.types import Embeddings, Json, Labels, Matrix, Patches, Tensor3, Vector


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


class EncodedImages(NamedTuple):
    """What one pass of a network gives for ``n`` images.

    Examples:
        >>> from PIL import Image
        >>> from doubleread.rag.encoders import build
        >>> found = build("efficientnet-lite0").encode_patches([Image.new("RGB", (64, 64), "red")])
        >>> found.embeddings.shape
        (1, 1280)
    """

    embeddings: Embeddings
    """Unit-length rows, shape ``(n, dim)``, as ``encode`` returns them."""
    patches: Patches
    """Shape ``(n, rows, columns, channels)``. The first patch is at the top left. Each covers ``1 / rows`` of the
    image's height and ``1 / columns`` of its width, and sees more around it. The unit is that of the network's
    activations; ``fingerprint`` covers the features."""


@runtime_checkable
class PatchEncoder(Protocol):
    """An encoder that also gives one feature vector for each patch of an image, on a grid.

    A pooled embedding is a mean over the image, in which a defect of 1 % of its area is lost; in a patch it is not.

    Examples:
        >>> from PIL import Image
        >>> from doubleread.rag.encoders import build
        >>> encoder = build("efficientnet-lite0")
        >>> encoder.encode_patches([Image.new("RGB", (64, 64), "red")]).patches.shape[:3]
        (1, 16, 16)
    """

    def encode_patches(self, images: Sequence[Image.Image]) -> EncodedImages:
        """Returns embeddings and patches, from one pass of the network over each image.

        Raises:
            EncoderError: The network has no grid of patches.
        """
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


class PatchEmbedder(Protocol):
    """Gives the patch features of a case."""

    async def patches(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Patches:
        """Returns the patches of each view, shape ``(len(views), rows, columns, channels)``.

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
    "Calibrator",
    "CaseStore",
    "Embedder",
    "EncodedImages",
    "Encoder",
    "FusionRule",
    "ImageSource",
    "PatchEmbedder",
    "PatchEncoder",
    "Retriever",
    "TextEncoder",
]
