"""Patch features of torch networks: maps from inside the network, taken in the pass that gives the embedding.

As in PatchCore (Roth et al. 2022, arXiv 2106.08265, section 3.1) every patch is averaged with its neighbours (3 × 3),
and the layers are brought to the grid of the finest one and joined. A random projection with a fixed seed limits them
to ``CHANNELS`` numbers a patch, which keeps distances (Johnson-Lindenstrauss) and bounds memory.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import avg_pool2d, interpolate, normalize

from doubleread.core.errors import EncoderError
from doubleread.core.ports import EncodedImages
from doubleread.rag.encoders._torch_support import precision, unit_length

CHANNELS = 128
_DEPTHS = (0.5, 0.75)
"""The layers of a transformer that patches are taken from, as a share of its depth."""


class Pass(NamedTuple):
    """What a network gives for a batch: pooled features ``(n, dim)``, maps ``(n, channels, rows, columns)``."""

    pooled: torch.Tensor
    maps: Sequence[torch.Tensor]


def encoded_with_patches(
    features: Callable[[Sequence[Image.Image]], Pass],
    images: Sequence[Image.Image],
    *,
    chunk: int,
    device: torch.device,
) -> EncodedImages:
    """Applies ``features`` to ``chunk`` images at a time; at least one image."""
    rows, patches = [], []
    for start in range(0, len(images), chunk):
        with torch.inference_mode(), precision(device):
            found = features(images[start : start + chunk])
            rows.append(unit_length(found.pooled))
            patches.append(_joined([one.float() for one in found.maps]).half().cpu().numpy())
    return EncodedImages(np.concatenate(rows), np.concatenate(patches))


def open_clip_pass(model: Any, pixels: torch.Tensor, name: str) -> Pass:
    """Runs the image tower of an open_clip model. Raises ``EncoderError`` if it is no vision transformer."""
    layers = getattr(getattr(model.visual, "transformer", None), "resblocks", None)
    if layers is None or not hasattr(model.visual, "forward_intermediates"):
        raise EncoderError(
            f"open-clip:{name} has no grid of patches, which the agent patches needs: use a ViT, or "
            "efficientnet-lite0, or leave the agent out"
        )
    found = model.visual.forward_intermediates(pixels, indices=_layers(len(layers)))
    return Pass(found["image_features"], [normalize(one.float(), dim=1) for one in found["image_intermediates"]])


def timm_pass(model: Any, pixels: torch.Tensor, name: str) -> Pass:
    """Runs a vision transformer of timm. Raises ``EncoderError`` for other networks."""
    layers = getattr(model, "blocks", None)
    if layers is None or not hasattr(model, "patch_embed") or not hasattr(model, "forward_intermediates"):
        raise EncoderError(
            f"timm:{name} has no grid of patches, which the agent patches needs: use a ViT, such as DINOv2, or "
            "efficientnet-lite0, or leave the agent out"
        )
    last, maps = model.forward_intermediates(pixels, indices=_layers(len(layers)))
    return Pass(model.forward_head(last), [normalize(one.float(), dim=1) for one in maps])


def _layers(depth: int) -> list[int]:
    return sorted({max(0, round(share * depth) - 1) for share in _DEPTHS})


def _joined(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Returns ``(n, rows, columns, channels)`` on the grid of the finest map."""
    side = max((tuple(one.shape[-2:]) for one in maps), key=lambda shape: shape[0] * shape[1])
    local = [avg_pool2d(one, 3, stride=1, padding=1, count_include_pad=False) for one in maps]
    fine = [
        one if one.shape[-2:] == side else interpolate(one, size=side, mode="bilinear", align_corners=False)
        for one in local
    ]
    joined = torch.cat(fine, dim=1).permute(0, 2, 3, 1)
    if joined.shape[-1] <= CHANNELS:
        return joined
    return joined @ torch.from_numpy(_projection(joined.shape[-1])).to(joined.device)


@cache
def _projection(channels: int) -> NDArray[np.float32]:
    drawn: NDArray[np.float64] = np.random.default_rng(0).normal(size=(channels, CHANNELS)) / np.sqrt(CHANNELS)
    return drawn.astype(np.float32)
