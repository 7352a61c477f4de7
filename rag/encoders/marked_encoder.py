"""An encoder that sees images through a policy of its own, and says so in its fingerprint."""

from collections.abc import Sequence

from PIL import Image

from doubleread.core.ports import Encoder, TextEncoder
from doubleread.core.types import Embeddings


class MarkedEncoder:
    """An encoder with a mark behind its fingerprint."""

    def __init__(self, encoder: Encoder, mark: str) -> None:
        self._encoder, self.fingerprint, self.dim = encoder, f"{encoder.fingerprint}{mark}", encoder.dim

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Returns unit-length rows, shape ``(len(images), dim)``."""
        return self._encoder.encode(images)


class _MarkedTextEncoder(MarkedEncoder):
    def __init__(self, encoder: Encoder, texts: TextEncoder, mark: str) -> None:
        super().__init__(encoder, mark)
        self._texts = texts

    @property
    def logit_scale(self) -> float:
        return self._texts.logit_scale

    def encode_text(self, texts: Sequence[str]) -> Embeddings:
        """Returns unit-length rows, shape ``(len(texts), dim)``."""
        return self._texts.encode_text(texts)


def marked(encoder: Encoder, mark: str) -> Encoder:
    """Returns the encoder with the mark of an image policy; itself where images are read as usual."""
    if not mark:
        return encoder
    return (
        _MarkedTextEncoder(encoder, encoder, mark) if isinstance(encoder, TextEncoder) else MarkedEncoder(encoder, mark)
    )
