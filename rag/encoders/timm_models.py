"""Image encoders of timm (DINOv2, DINOv3, ConvNeXt, EVA, …), without a text tower."""

from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from doubleread.core.errors import EncoderError, WeightsMissing
from doubleread.core.ports import EncodedImages
from doubleread.core.types import Embeddings
from doubleread.rag.encoders import _hub
from doubleread.rag.encoders._loading_faults import loading_fault
from doubleread.rag.encoders._patch_maps import encoded_with_patches, timm_pass
from doubleread.rag.encoders._torch_support import encoded, fingerprint, pick_device, unit_length, weights_digest

_CHUNK = {"cpu": 8, "mps": 32, "cuda": 128}
_FILES = ("model.safetensors", "pytorch_model.bin")
_PIXELS = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
EXAMPLE = "test_vit.r160_in1k"
"""A tiny architecture of timm's own tests."""


class TimmModel:
    """Pooled features before the classifier, unit length; pixels as the data configuration of the weights says.

    ``name`` is an architecture, with the tag of its weights if it has several ("vit_small_patch14_dinov2.lvd142m").
    Weights come from the hub's cache or from a ``checkpoint``, whose images are prepared as for the named weights.

    Raises ``EncoderError`` for an unknown name and for weights that do not fit, and ``WeightsMissing`` if there are
    none: a model never runs on random weights.
    """

    def __init__(
        self, name: str, *, checkpoint: Path | None = None, device: str = "auto", download: bool = False
    ) -> None:
        self._device, self._name = pick_device(device), name
        weights = _weights(name, checkpoint, download)
        try:
            model: Any = timm.create_model(name, pretrained=False, checkpoint_path=str(weights), num_classes=0)
        except Exception as error:  # noqa: BLE001 (a broken file can raise anything)
            raise loading_fault(f"timm:{name}", weights, error) from None
        self._config = resolve_model_data_config(model)
        self._prepare: Any = create_transform(**self._config, is_training=False)
        prepared = {key: str(value) for key, value in self._config.items()}
        self.fingerprint = fingerprint("timm", name, weights_digest(model.state_dict()), prepared)
        self._model = model.eval().to(self._device)
        self.dim = self._width()

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Returns unit-length rows of shape ``(len(images), dim)``."""
        chunk = _CHUNK[self._device.type]
        return encoded(self._features, images, chunk=chunk, dim=self.dim, device=self._device)

    def encode_patches(self, images: Sequence[Image.Image]) -> EncodedImages:
        """Returns the same rows and the patches of two layers; raises ``EncoderError`` unless the network is a ViT."""
        chunk = _CHUNK[self._device.type]
        return encoded_with_patches(
            lambda part: timm_pass(self._model, self._pixels(part), self._name),
            images,
            chunk=chunk,
            device=self._device,
        )

    def understood(self) -> dict[str, str]:
        """Says how images are prepared, and where this is known from."""
        _, height, width = self._config["input_size"]
        mean, std = (", ".join(f"{value:g}" for value in self._config[name]) for name in ("mean", "std"))
        crop = f"crop of {self._config['crop_pct']:g} ({self._config['crop_mode']})"
        return {
            "pixels": f"{width} × {height}; mean {mean}; std {std}; {self._config['interpolation']}, {crop}",
            "known from": f"timm's configuration of {self._name}",
            "texts": "none: it reads images only",
            "length of an embedding": str(self.dim),
            "weights": self.fingerprint,
            "device": str(self._device),
        }

    def _features(self, images: Sequence[Image.Image]) -> torch.Tensor:
        pooled: torch.Tensor = self._model(self._pixels(images))
        return pooled

    def _pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        return torch.stack([self._prepare(image) for image in images]).to(self._device)

    def _width(self) -> int:
        with torch.inference_mode():
            return int(unit_length(self._features([Image.new("RGB", (32, 32))])).shape[1])


def build(argument: str, *, device: str, checkpoint: Path | None, download: bool) -> TimmModel:
    """Builds the encoder of ``timm:<architecture>``."""
    return TimmModel(argument, checkpoint=checkpoint, device=device, download=download)


def example(folder: Path) -> TimmModel:
    """Builds a tiny model with random weights for the contract tests; its file is in ``folder``."""
    return TimmModel(EXAMPLE, checkpoint=random_weights(folder), device="cpu")


def random_weights(folder: Path, name: str = EXAMPLE, seed: int = 0) -> Path:
    """Writes a checkpoint of random weights, for tests."""
    torch.manual_seed(seed)
    file = folder / f"{name}-{seed}.pt"
    torch.save(timm.create_model(name, pretrained=False, num_classes=0).state_dict(), file)
    return file


def _check_agreement(name: str) -> None:
    """Raises ``EncoderError`` for a name without a tag if the published weights want images in different ways."""
    ways = defaultdict[str, list[str]](list)
    for one in [] if "." in name else timm.list_pretrained(f"{name}.*"):
        config = timm.get_pretrained_cfg(one).to_dict()
        ways["; ".join(f"{key} {config.get(key)}" for key in _PIXELS)].append(one)
    if len(ways) > 1:
        listed = "\n".join(f"  - {way}: {', '.join(names)}" for way, names in ways.items())
        raise EncoderError(
            f"weights of {name} were trained in {len(ways)} ways, and a checkpoint does not say in which. Name the tag "
            f"that yours was trained from or like, beside the checkpoint:\n{listed}"
        )


def _weights(name: str, checkpoint: Path | None, download: bool) -> Path:
    if not timm.is_model(name):
        close = get_close_matches(name, timm.list_models(), n=5, cutoff=0.4)
        known = f"; close to it: {', '.join(close)}" if close else ""
        raise EncoderError(f"timm knows no architecture {name!r}{known}")
    if checkpoint is not None:
        if not checkpoint.is_file():
            raise WeightsMissing(f"the checkpoint {checkpoint} does not exist: name a .pt, .bin or .safetensors file")
        _check_agreement(name)
        return checkpoint
    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None or not config.hf_hub_id:
        tags = ", ".join(timm.list_pretrained(f"{name.partition('.')[0]}*")[:6])
        raise WeightsMissing(f"timm:{name} has no published weights; give a checkpoint, or one of: {tags or 'none'}")
    repo = config.hf_hub_id if config.hf_hub_id != "timm/" else f"timm/{name}"
    return _hub.fetch(repo, _FILES, download=download)
