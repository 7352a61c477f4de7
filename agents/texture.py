"""Texture agent: the discriminant head on colour and texture features.

The other local agents share one encoder and its errors. Colour histograms and local binary patterns
(``rag/encoders/colour_texture.py``) make this agent's errors more independent, as double reading requires.
"""

from doubleread.agents.discriminant import Discriminant
from doubleread.core.agent_ports import TEXTURE


class Texture(Discriminant):
    """Discriminant on colour and texture."""

    name = "texture"
    sight = TEXTURE
