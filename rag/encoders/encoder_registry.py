"""The encoders there are, and how each is built."""

from pathlib import Path
from typing import Protocol

from doubleread.core.ports import Encoder
from doubleread.core.registry import Registry


class Builder(Protocol):
    """Builds an encoder from the part of its spec after the colon; raises ``EncoderError``."""

    def __call__(self, argument: str, *, device: str, checkpoint: Path | None, download: bool) -> Encoder: ...


ENCODERS = Registry(
    "encoder",
    "doubleread.encoders",
    {
        "colour-texture": "doubleread.rag.encoders.colour_texture:build",
        "efficientnet-lite0": "doubleread.rag.encoders.efficientnet:build",
        "open-clip": "doubleread.rag.encoders.open_clip:build",
    },
)

ENCLOSED = frozenset({"colour-texture", "efficientnet-lite0"})
"""Kinds that need nothing but installed packages."""
WITH_TEXT = frozenset({"open-clip"})
"""Kinds whose encoders implement the ``TextEncoder`` port, told without loading one."""
