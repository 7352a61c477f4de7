"""What an agent may use: everything is injected, nothing is looked up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from doubleread.core.ports import WHOLE, Embedder, Retriever, TextEncoder
from doubleread.core.task import Task
from doubleread.core.types import Embeddings


@dataclass(frozen=True)
class AgentContext:
    """The parts that the composition root hands to every agent.

    ``views`` are the views of an image that a second look reads. ``vectors`` gives the stored embeddings of case
    ids, shape ``(n, dim)``, so that retrieved cases can join an agent's support. ``text`` is None where the encoder
    reads images only, ``texture`` where no agent of the panel asks for colour and texture.
    """

    task: Task
    embedder: Embedder
    retriever: Retriever
    vectors: Callable[[Sequence[str]], Embeddings]
    text: TextEncoder | None = None
    texture: Embedder | None = None
    templates: tuple[str, ...] = ()
    views: tuple[str, ...] = (WHOLE,)
