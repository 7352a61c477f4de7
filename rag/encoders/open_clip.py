"""CLIP models supported by open_clip. The only module that imports open_clip."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from doubleread.core.errors import EncoderError, WeightsMissing
from doubleread.core.types import Embeddings
from doubleread.rag.encoders import _hub
from doubleread.rag.encoders._torch_support import (
    encoded,
    fingerprint,
    pick_device,
    precision,
    unit_length,
    weights_digest,
)

_HUB = "hf-hub:"
_CONFIG = "open_clip_config.json"
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TINY = "doubleread-tiny"
_TINY_CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
_CHUNK = {"cpu": 8, "mps": 32, "cuda": 128}


@dataclass(frozen=True)
class Preprocess:
    """How pixels are prepared for a model; the defaults are those of OpenAI's CLIP, which most models share."""

    mean: tuple[float, ...] = open_clip.OPENAI_DATASET_MEAN
    std: tuple[float, ...] = open_clip.OPENAI_DATASET_STD
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"


@dataclass(frozen=True)
class _Source:
    """Source of a model: its name in open_clip, its weights file, and settings that the bare file does not hold."""

    model: str
    weights: Path | None
    preprocess: Preprocess | None
    quick_gelu: bool = False


class OpenClip:
    """Image and text towers in one space of length ``dim``, unit length.

    ``name`` is an architecture ("ViT-B-32") with the ``tag`` of its weights ("datacomp_xl_s13b_b90k") or a local
    ``checkpoint``, or it is a hub id ("hf-hub:imageomics/bioclip"). A bare checkpoint does not say how images are
    prepared: ``preprocess`` does, else the values of ``tag`` are used, else those of OpenAI's CLIP.

    Raises ``EncoderError`` for an unknown name or tag and for weights that do not fit, and ``WeightsMissing`` if there
    are none: a model never runs on random weights.
    """

    def __init__(
        self,
        name: str,
        tag: str | None = None,
        *,
        checkpoint: Path | None = None,
        preprocess: Preprocess | None = None,
        device: str = "auto",
        download: bool = False,
    ) -> None:
        self._device = pick_device(device)
        source = _locate(name, tag, checkpoint, preprocess, download)
        with _hub.offline(not download):
            model, self._tokenize = _load(name, source)
        self._prepare = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
        self.fingerprint = fingerprint(
            "open-clip", f"{name}/{tag or ''}", weights_digest(model.state_dict()), model.visual.preprocess_cfg
        )
        self.logit_scale = float(model.logit_scale.detach().exp().max())
        self._model = model.eval().to(self._device)
        self.dim = self.encode_text(["one"]).shape[1]

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Returns unit-length rows of shape ``(len(images), dim)``."""
        chunk = _CHUNK[self._device.type]
        return encoded(self._features, images, chunk=chunk, dim=self.dim, device=self._device)

    def encode_text(self, texts: Sequence[str]) -> Embeddings:
        """Returns unit-length rows of shape ``(len(texts), dim)``, in the same space as the images."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        tokens = self._tokenize(list(texts)).to(self._device)
        with torch.inference_mode(), precision(self._device):
            return unit_length(self._model.encode_text(tokens))

    def _features(self, images: Sequence[Image.Image]) -> Any:
        return self._model.encode_image(torch.stack([self._prepare(image) for image in images]).to(self._device))


def untrained_weights(name: str) -> dict[str, torch.Tensor]:
    """Returns random weights of an architecture, to measure speed; ``OpenClip`` accepts them only as a checkpoint."""
    state: dict[str, torch.Tensor] = open_clip.create_model(name).state_dict()
    return state


def build(argument: str, *, device: str, checkpoint: Path | None, download: bool) -> OpenClip:
    """Builds the encoder of ``open-clip:<argument>``: ``arch/tag``, ``hf-hub:org/name`` or ``arch`` and checkpoint."""
    if argument.startswith(_HUB):
        return OpenClip(argument, checkpoint=checkpoint, device=device, download=download)
    name, _, tag = argument.partition("/")
    return OpenClip(name, tag or None, checkpoint=checkpoint, device=device, download=download)


def example(folder: Path) -> OpenClip:
    """Builds a tiny model with random weights for the contract tests; its files are in ``folder``."""
    return OpenClip(TINY, checkpoint=tiny_weights(folder), device="cpu")


def tiny_weights(folder: Path, seed: int = 0) -> Path:
    """Writes a checkpoint of the architecture ``TINY`` and registers that architecture with open_clip."""
    config = folder / f"{TINY}.json"
    config.write_text(json.dumps(_TINY_CONFIG))
    open_clip.add_model_config(config)
    torch.manual_seed(seed)
    checkpoint = folder / f"tiny-{seed}.pt"
    torch.save(open_clip.create_model(TINY).state_dict(), checkpoint)
    return checkpoint


def _locate(
    name: str, tag: str | None, checkpoint: Path | None, preprocess: Preprocess | None, download: bool
) -> _Source:
    if name.startswith(_HUB):
        return _from_hub(name, checkpoint, preprocess, download)
    _check_name(name)
    if tag is None and checkpoint is None:
        raise WeightsMissing(
            f"open-clip:{name} names no weights, and random ones are never used: add a tag "
            f"({', '.join(open_clip.list_pretrained_tags_by_model(name)[:6])}, …) or a checkpoint"
        )
    config = _tag_config(name, tag) if tag is not None else {}
    fields = ("mean", "std", "interpolation", "resize_mode")
    known = Preprocess(**{field: config[field] for field in fields if field in config})
    if checkpoint is not None and not checkpoint.is_file():
        raise WeightsMissing(f"the checkpoint {checkpoint} does not exist: name a .pt, .bin or .safetensors file")
    weights = checkpoint or _tag_weights(config, download)
    return _Source(name, weights, preprocess or known, quick_gelu=bool(config.get("quick_gelu", False)))


def _from_hub(name: str, checkpoint: Path | None, preprocess: Preprocess | None, download: bool) -> _Source:
    if checkpoint is not None:
        raise EncoderError(f"{name} brings its own weights: give an architecture name with a checkpoint instead")
    repo = name.removeprefix(_HUB)
    _hub.fetch(repo, (_CONFIG,), download=download)
    _hub.fetch(repo, _WEIGHTS, download=download)
    return _Source(name, None, preprocess)


def _check_name(name: str) -> None:
    if name not in open_clip.list_models():
        close = get_close_matches(name, open_clip.list_models(), n=5, cutoff=0.4) or open_clip.list_models()[:5]
        raise EncoderError(
            f"open_clip knows no architecture {name!r}; close to it: {', '.join(close)}. Hub models are written "
            "open-clip:hf-hub:<org>/<name>"
        )


def _tag_config(name: str, tag: str) -> dict[str, Any]:
    config: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if not config:
        tags = open_clip.list_pretrained_tags_by_model(name)
        close = get_close_matches(tag, tags, n=5, cutoff=0.4) or tags[:8] or ["none, give a checkpoint"]
        raise EncoderError(f"{name} has no weights {tag!r}; close to it: {', '.join(close)}")
    return config


def _tag_weights(config: dict[str, Any], download: bool) -> Path:
    if config.get("hf_hub"):
        repo, file = os.path.split(config["hf_hub"])
        safe = (f"{Path(file).stem}.safetensors",) if file.endswith((".bin", ".pth")) else ()
        return _hub.fetch(repo, (*safe, file) if file else _WEIGHTS, download=download)
    return _url_weights(config["url"], download)


def _url_weights(url: str, download: bool) -> Path:
    target = Path.home() / ".cache" / "clip" / url.rsplit("/", 1)[-1]
    if target.is_file():
        return target
    if not (download and _hub.reachable(url)):
        raise WeightsMissing(f"the weights {target} are not on this machine: curl --create-dirs -Lo {target} {url}")
    try:
        return Path(open_clip.download_pretrained_from_url(url))
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsMissing(
            f"{url} could not be downloaded ({error}): curl --create-dirs -Lo {target} {url}"
        ) from None


def _load(name: str, source: _Source) -> tuple[Any, Any]:
    try:
        model = open_clip.create_model(
            source.model,
            pretrained=str(source.weights) if source.weights is not None else None,
            require_pretrained=True,
            weights_only=True,  # unpickles nothing but tensors
            force_quick_gelu=source.quick_gelu,
            force_preprocess_cfg=asdict(source.preprocess) if source.preprocess is not None else None,
        )
        return model, open_clip.get_tokenizer(source.model)
    except Exception as error:  # noqa: BLE001 (unpickling a broken file can raise anything)
        reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        where = source.weights or "the hub's cache"
        raise EncoderError(
            f"open-clip:{name} cannot be loaded from {where} ({reason}): check that the weights belong to this "
            "architecture and are complete; download them again with download=True"
        ) from None
