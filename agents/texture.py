"""Texture agent: the discriminant head on colour and texture features.

The other local agents share one encoder and its errors. Colour histograms and local binary patterns
(``rag/encoders/colour_texture.py``) make this agent's errors more independent, as double reading requires.
"""

from dataclasses import replace

from doubleread.agents.context import AgentContext
from doubleread.agents.discriminant import Discriminant
from doubleread.core.agent_ports import TEXTURE
from doubleread.core.errors import PanelError
from doubleread.core.evidence import Evidence
from doubleread.core.types import Embeddings, Matrix


class Texture(Discriminant):
    """Discriminant on ``context.texture``, without text prototypes. Raises ``PanelError`` if that is None."""

    name = "texture"
    sight = TEXTURE

    def __init__(self, context: AgentContext) -> None:
        if context.texture is None:
            raise PanelError("the texture agent needs AgentContext.texture, an embedder of colour and texture")
        super().__init__(replace(context, embedder=context.texture, text=None))

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """Log-posteriors of the unchanged head: the evidence's stored vectors come from another encoder."""
        del evidence
        return self.log_posteriors(embeddings)
