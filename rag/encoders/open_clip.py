"""CLIP models supported by open_clip."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from doubleread.core.ports import EncodedImages
from doubleread.core.types import Embeddings
from doubleread.rag.encoders import _hub
from doubleread.rag.encoders._loading_faults import loading_fault
from doubleread.rag.encoders._long_texts import chunked
from doubleread.rag.encoders._patch_maps import encoded_with_patches, open_clip_pass
from doubleread.rag.encoders._preparation import Preparation, Preprocess
from doubleread.rag.encoders._torch_support import (
    encoded,
    fingerprint,
    pick_device,
    precision,
    unit_length,
    weights_digest,
)
from doubleread.rag.encoders.encoder_registry import LOCAL_FOLDER
from doubleread.rag.encoders.open_clip_sources import HUB, STATED, ModelSource, locate

TINY = "doubleread-tiny"
_TINY_CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
_CHUNK = {"cpu": 8, "mps": 32, "cuda": 128}


class OpenClip:
    """Image and text towers in one space of length ``dim``, unit length.

    ``name`` is an architecture ("ViT-B-32") with the ``tag`` of its weights ("datacomp_xl_s13b_b90k") or a local
    ``checkpoint``, or it is a hub id ("hf-hub:imageomics/bioclip") or a folder ("local-dir:/data/bioclip") with an
    open_clip_config.json. A bare checkpoint does not say how images are prepared: ``preprocess`` does, else ``tag``,
    else what all published weights of the architecture agree on (``_preparation.py``).

    A text that is longer than the context is read in chunks of whole words whose vectors are averaged, with a warning.

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
        source = locate(name, tag, checkpoint, preprocess, download)
        with _hub.offline(not download):
            model, self._tokenize = _load(name, source)
        self._source, self._name = source, name
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

    def encode_patches(self, images: Sequence[Image.Image]) -> EncodedImages:
        """Returns the same rows and the patches of two layers; raises ``EncoderError`` unless the tower is a ViT."""
        chunk = _CHUNK[self._device.type]
        return encoded_with_patches(
            lambda part: open_clip_pass(self._model, self._pixels(part), self._name),
            images,
            chunk=chunk,
            device=self._device,
        )

    def encode_text(self, texts: Sequence[str]) -> Embeddings:
        """Returns unit-length rows of shape ``(len(texts), dim)``, in the same space as the images."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        chunks = chunked(texts, self._count, self._context)
        tokens = self._tokenize([part for parts in chunks for part in parts]).to(self._device)
        with torch.inference_mode(), precision(self._device):
            rows = unit_length(self._model.encode_text(tokens))
        if len(rows) == len(texts):
            return rows
        ends = np.cumsum([len(parts) for parts in chunks])[:-1]
        means = [torch.from_numpy(part.mean(axis=0)) for part in np.split(rows, ends)]
        return unit_length(torch.stack(means))

    def understood(self) -> dict[str, str]:
        """Says how images and texts are prepared, and where this is known from."""
        preparation, config = self._source.preparation, self._model.visual.preprocess_cfg
        height, width = config["size"] if isinstance(config["size"], tuple | list) else (config["size"],) * 2
        return {
            "pixels": f"{width} × {height}; {preparation}",
            "known from": preparation.source,
            "texts": f"up to {self._context} tokens at once; longer ones in parts",
            "length of an embedding": str(self.dim),
            "weights": self.fingerprint,
            "device": str(self._device),
        }

    @property
    def _context(self) -> int:
        return int(self._tokenize.context_length)

    def _count(self, text: str) -> int:
        encode = getattr(self._tokenize, "encode", None)
        if encode is not None:
            return len(encode(text)) + 2  # start and end
        return len(self._tokenize.tokenizer(text)["input_ids"])

    def _features(self, images: Sequence[Image.Image]) -> Any:
        return self._model.encode_image(self._pixels(images))

    def _pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        return torch.stack([self._prepare(image) for image in images]).to(self._device)


def untrained_weights(name: str) -> dict[str, torch.Tensor]:
    """Returns random weights of an architecture, to measure speed; ``OpenClip`` accepts them only as a checkpoint."""
    state: dict[str, torch.Tensor] = open_clip.create_model(name).state_dict()
    return state


def build(argument: str, *, device: str, checkpoint: Path | None, download: bool) -> OpenClip:
    """Builds the encoder of ``open-clip:<argument>``.

    ``arch/tag``, ``hf-hub:org/name``, ``local-dir:folder``, or ``arch`` or ``arch/tag`` with a checkpoint.
    """
    if argument.startswith((HUB, LOCAL_FOLDER)):
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
    STATED[TINY] = Preparation(Preprocess(), quick_gelu=False, source="the architecture of tests")
    torch.manual_seed(seed)
    checkpoint = folder / f"tiny-{seed}.pt"
    torch.save(open_clip.create_model(TINY).state_dict(), checkpoint)
    return checkpoint


def _load(name: str, source: ModelSource) -> tuple[Any, Any]:
    try:
        model = open_clip.create_model(
            source.model,
            pretrained=str(source.weights) if source.weights is not None else None,
            require_pretrained=True,
            weights_only=True,  # unpickles nothing but tensors
            force_quick_gelu=source.preparation.quick_gelu,
            force_preprocess_cfg=asdict(source.preparation.preprocess),
        )
    except Exception as error:  # noqa: BLE001 (unpickling a broken file can raise anything)
        raise loading_fault(f"open-clip:{name}", source.weights or "the folder or the hub's cache", error) from None
    return model, _tokenizer(name, source.model)


def _tokenizer(name: str, model: str) -> Any:
    try:
        return open_clip.get_tokenizer(model)
    except Exception as error:  # noqa: BLE001 (transformers raises errors of many kinds)
        text = (open_clip.get_model_config(model) or {}).get("text_cfg") or {}
        repo = text.get("hf_tokenizer_name") or text.get("hf_model_name") or model.removeprefix(HUB)
        raise loading_fault(f"open-clip:{name}", f"the tokenizer {repo}", error) from None
