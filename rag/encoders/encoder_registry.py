"""The registry of encoders."""

from pathlib import Path
from typing import Protocol

from doubleread.core.ports import Encoder
from doubleread.core.registry import PartRow, Registry


class Builder(Protocol):
    """Builds an encoder from the part of its spec after the colon; raises ``EncoderError``.

    If it needs an argument, ``example(folder)`` in the same module builds one for the contract tests.
    """

    def __call__(self, argument: str, *, device: str, checkpoint: Path | None, download: bool) -> Encoder: ...


LOCAL_FOLDER = "local-dir:"
"""Begins the argument of a spec that names a folder of this machine."""
ENCLOSED = "enclosed"
"""Trait of encoders that need only installed packages."""
TEXT = "text"
"""Trait of encoders that implement the ``TextEncoder`` port."""

ENCODERS = Registry(
    "encoder",
    "doubleread.encoders",
    {
        "colour-texture": PartRow("doubleread.rag.encoders.colour_texture:build", {ENCLOSED}),
        "efficientnet-lite0": PartRow("doubleread.rag.encoders.efficientnet:build", {ENCLOSED}),
        "open-clip": PartRow("doubleread.rag.encoders.open_clip:build", {TEXT}),
        "timm": PartRow("doubleread.rag.encoders.timm_models:build"),
    },
)
