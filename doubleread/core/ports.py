"""The seams: what a part must offer to be plugged in. Contract tests hold every implementation to them."""

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
"""The view of an image as it is; other views are crops."""
TEXTURE = "texture"
"""The sight of agents that learn from colour and texture."""


@runtime_checkable
class Agent(Protocol):
    """Reads a case. It never raises for a case it cannot judge: it abstains with a cause."""

    @property
    def name(self) -> str: ...

    async def read(self, case: Case) -> Answer: ...


@runtime_checkable
class Reconsiders(Protocol):
    """An agent that can look again, with evidence. It is not shown its first answer."""

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer: ...


@runtime_checkable
class ReadsViews(Protocol):
    """An agent that can read views of a case's image each on its own, as a first look, at next to no cost."""

    async def read_views(self, case: Case, views: Sequence[str]) -> tuple[Answer, ...]: ...


@runtime_checkable
class TakesItsTime(Protocol):
    """An agent that bounds its own time: the panel waits that long, not its own limit."""

    @property
    def deadline_s(self) -> float: ...


@runtime_checkable
class Rephrases(Protocol):
    """An agent that can be asked the same thing in other words or with its options in another order.

    ``variants`` names the ways, the kind before the colon (``paraphrase:…``, ``permutation:…``).
    """

    @property
    def variants(self) -> tuple[str, ...]: ...

    async def read_as(self, case: Case, variant: str) -> Answer: ...


@runtime_checkable
class TakesHints(Protocol):
    """An agent that can be told something about a case before it reads: an unverified note of a person.

    ``hinted`` gives an agent of the same name that is told; trust was not measured on its answers.
    """

    def hinted(self, hint: str) -> Agent: ...


@runtime_checkable
class Deliberates(Protocol):
    """A reader of readers: it never sees the image, only what the others said, their records and the evidence."""

    @property
    def name(self) -> str: ...

    async def deliberate(
        self, answers: Mapping[str, Answer], profiles: Mapping[str, TrustProfile], evidence: Evidence | None
    ) -> Answer: ...


@runtime_checkable
class Learns(Protocol):
    """An agent that is fitted on labelled cases; saved as a JSON object and named arrays.

    ``groups`` names what its own cross-validation must not split.
    """

    def fit(self, embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None = None) -> Self: ...

    def state(self) -> tuple[Json, dict[str, Embeddings | Matrix]]: ...

    def restore(self, settings: Json, arrays: dict[str, Embeddings | Matrix]) -> Self: ...


@runtime_checkable
class HasSight(Protocol):
    """A learning agent that does not see the embeddings of the panel's encoder; ``sight`` names what it sees."""

    @property
    def sight(self) -> str: ...


@runtime_checkable
class Encoder(Protocol):
    """Turns images into unit-length vectors of length ``dim``; ``fingerprint`` changes when they would."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def encode(self, images: Sequence[Image.Image]) -> Embeddings: ...


@runtime_checkable
class TextEncoder(Protocol):
    """The text tower of an encoder: same space, same length; ``logit_scale`` is its softmax's 1/temperature."""

    @property
    def logit_scale(self) -> float: ...

    def encode_text(self, texts: Sequence[str]) -> Embeddings: ...


class ImageSource(Protocol):
    """Opens a case's pixels: 8-bit RGB, upright, the longer side at most ``max_side``; raises ``ImageError``."""

    def open(self, case: Case, *, max_side: int | None = None) -> Image.Image: ...


class Embedder(Protocol):
    """Gives each case's embeddings, computed once and shared; raises ``ImageError``.

    Returns one row per view, shape ``(len(views), dim)``.
    """

    async def embed(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Embeddings: ...


@runtime_checkable
class CaseStore(Protocol):
    """Labelled cases and their embeddings, of one encoder.

    ``add`` and ``put`` upsert by case id; ``remove`` takes cases out, and a store with a history keeps who did.
    ``search`` gives the ``k`` nearest cases by cosine similarity for each query row, nearest first; ``search_each``
    those of each label to one query ``(dim,)``, label by label, exactly. Both look at what is ``wanted`` only, and
    leave out what ``exclude_ids`` and ``exclude_groups`` name. ``export`` gives everything, sorted by case id;
    ``columns`` what a model of the cases learns from. ``version`` names the state of the store.
    """

    @property
    def fingerprint(self) -> str: ...

    def add(self, cases: Sequence[Case], embeddings: Embeddings) -> None: ...

    def put(self, stored: Sequence[StoredCase], embeddings: Embeddings) -> object: ...

    def remove(self, ids: Sequence[str], *, reviewer: str = "") -> None: ...

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        wanted: Wanted = ...,
        exclude_ids: frozenset[str] = frozenset(),
        exclude_groups: frozenset[str] = frozenset(),
    ) -> list[list[Neighbour]]: ...

    def search_each(
        self,
        query: Embeddings,
        labels: Sequence[str],
        k: int,
        *,
        wanted: Wanted = ...,
        exclude_ids: frozenset[str] = frozenset(),
        exclude_groups: frozenset[str] = frozenset(),
    ) -> list[Neighbour]: ...

    def get(self, ids: Sequence[str]) -> list[StoredCase]: ...

    def columns(self) -> Columns: ...

    def export(self) -> tuple[list[Case], Embeddings]: ...

    def count(self) -> int: ...

    def holds(self, case_id: str) -> bool: ...

    def version(self) -> str: ...

    def close(self) -> None: ...


class Retriever(Protocol):
    """Finds the evidence for a case; a failure is a value in it, not an exception.

    The label distribution is averaged over ``views``; the neighbours are those of the first view.
    """

    async def find(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Evidence: ...

    async def contrast(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        """The nearest stored cases of each of ``labels``, nearest first; empty where retrieval failed."""
        ...

    async def distributions(self, case: Case, views: Sequence[str]) -> Matrix:
        """The label distribution of each view on its own, shape ``(len(views), n_labels)``.

        Raises ``DoublereadError`` where retrieval failed.
        """
        ...


@runtime_checkable
class Calibrator(Protocol):
    """Maps raw distributions to calibrated ones, row by row, both of shape ``(n, k)``.

    ``fit`` returns self; ``case_weight`` is what one case counts for beside any prior, below 1 where cases are alike.
    ``apply`` raises ``NotFitted`` before it. ``params`` is a JSON object from which ``from_params`` rebuilds it.
    """

    kind: str

    def fit(self, probabilities: Matrix, labels: Labels, case_weight: float = 1.0) -> Self: ...

    def apply(self, probabilities: Matrix) -> Matrix: ...

    def params(self) -> Json: ...

    @classmethod
    def from_params(cls, params: Json) -> Self: ...


@runtime_checkable
class FusionRule(Protocol):
    """Makes one posterior of a panel's opinions, shape ``(n, agents, k)``, NaN rows where an agent gave none.

    Absent agents are left out. A case on which nobody spoke gets the prior. ``fit`` needs labels; ``fuse`` gives
    posteriors of shape ``(n, k)`` and raises ``NotFitted`` before it. ``params``/``from_params`` as for calibrators.
    """

    kind: str

    def fit(self, opinions: Tensor3, labels: Labels, prior: Vector, case_weight: float = 1.0) -> Self: ...

    def fuse(self, opinions: Tensor3) -> Matrix: ...

    def params(self) -> Json: ...

    @classmethod
    def from_params(cls, params: Json) -> Self: ...
