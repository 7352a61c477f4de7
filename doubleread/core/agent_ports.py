"""The interfaces (protocols) of agents.

An agent has ``name`` and ``read``. The other protocols are optional: what an agent can do is told by its methods.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, Self, runtime_checkable

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Embeddings, Json, Labels, Matrix, Patches

WHOLE = "whole"
"""Name of the view that is the whole image; other views are crops."""
PATCHES = "patches"
"""Name of the agent that looks at patches."""
TEXTURE = "texture"
"""The ``sight`` of agents that learn from colour and texture."""


@runtime_checkable
class Agent(Protocol):
    """Reads a case and gives an opinion.

    For a case that it cannot judge an agent returns an ``Abstention`` with a cause; it does not raise.

    Examples:
        >>> from doubleread.core.agent_ports import Agent
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
    """An agent that may use other features than the embeddings of the panel's encoder."""

    @property
    def sight(self) -> str:
        """Name of the features, such as ``TEXTURE``; empty for the panel's encoder."""
        ...


@runtime_checkable
class LearnsFromPatches(Protocol):
    """A learning agent that is fitted on the patches of its cases in place of embeddings."""

    def fit_patches(self, patches: Iterable[Patches], labels: Labels, groups: Sequence[str] | None = None) -> Self:
        """Fits the agent and returns it; the rest is as in ``Learns.fit``.

        Args:
            patches: Shape ``(rows, columns, channels)`` for each case, in order; gone through more than once.
            labels: Label indices in task order, shape ``(n,)``.
            groups: A group for each case.
        """
        ...


__all__ = [
    "PATCHES",
    "TEXTURE",
    "WHOLE",
    "Agent",
    "Deliberates",
    "HasSight",
    "Learns",
    "LearnsFromPatches",
    "ReadsViews",
    "Reconsiders",
    "Rephrases",
    "TakesHints",
    "TakesItsTime",
]
