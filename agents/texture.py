"""A reader of colour and texture: the discriminant's head on other eyes, so that its errors are its own.

The other local agents share one encoder and what it misses. This one sees colour histograms and local binary patterns
(``rag/encoders/colour_texture.py``), which is what double reading asks of a second reader.
"""

from dataclasses import replace

from doubleread.agents.context import AgentContext
from doubleread.agents.discriminant import Discriminant
from doubleread.core.agent_ports import TEXTURE
from doubleread.core.errors import PanelError
from doubleread.core.evidence import Evidence
from doubleread.core.types import Embeddings, Matrix


class Texture(Discriminant):
    """Discriminant on ``context.texture``; there are no text prototypes. Raises ``PanelError`` without it."""

    name = "texture"
    sight = TEXTURE

    def __init__(self, context: AgentContext) -> None:
        if context.texture is None:
            raise PanelError("the texture agent needs AgentContext.texture, an embedder of colour and texture")
        super().__init__(replace(context, embedder=context.texture, text=None))

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """The same head on all views: the stored vectors of the evidence are the encoder's, which it does not see."""
        del evidence
        return self.log_posteriors(embeddings)
