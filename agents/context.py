"""Dependencies that are injected into every agent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from doubleread.core.agent_ports import WHOLE
from doubleread.core.ports import Embedder, PatchEmbedder, Retriever, TextEncoder
from doubleread.core.task import Task
from doubleread.core.types import Embeddings


class Sight(NamedTuple):
    """Another encoder of the panel; ``text`` is None if it reads images only."""

    embedder: Embedder
    text: TextEncoder | None = None


@dataclass(frozen=True)
class AgentContext:
    """Dependencies of an agent, injected by the composition root.

    ``views`` are the views of an image that a second look reads. ``vectors`` returns the stored embeddings of case ids,
    shape ``(n, dim)``, so that retrieved cases can update an agent's head. ``text`` is None if the encoder reads images
    only. ``sights`` are the embedders of other encoders, by name; ``seen_with`` gives the context of an agent
    that uses one. ``patches`` is None if no agent of the panel looks at patches.
    """

    task: Task
    embedder: Embedder
    retriever: Retriever
    vectors: Callable[[Sequence[str]], Embeddings]
    text: TextEncoder | None = None
    sights: Mapping[str, "Sight"] = field(default_factory=dict)
    sight: str = ""
    patches: PatchEmbedder | None = None
    templates: tuple[str, ...] = ()
    views: tuple[str, ...] = (WHOLE,)

    def seen_with(self, sight: str) -> "AgentContext":
        """Returns the context of an agent that uses another encoder than the panel's; itself without a name."""
        if not sight:
            return self
        other = self.sights[sight]
        return replace(self, embedder=other.embedder, text=other.text, sight=sight)

    @cached_property
    def prototypes(self) -> Embeddings:
        """One unit vector per label, shape ``(n_labels, dim)``: the mean over its phrases in every template.

        Computed once: the text encoder takes longer over them than the image encoder over an image. Needs ``text``.
        """
        if self.text is None:
            raise RuntimeError("there is no text encoder")
        rows = []
        for label in self.task.labels:
            texts = [template.format(phrase) for phrase in label.prompt_phrases for template in self.templates]
            mean = self.text.encode_text(texts).mean(axis=0)
            rows.append(mean / np.linalg.norm(mean))
        return np.stack(rows)
