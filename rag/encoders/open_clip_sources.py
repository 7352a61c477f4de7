"""Where the weights of an open_clip model are, and how they want their images."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import open_clip

from doubleread.core.errors import EncoderError, FileError, WeightsMissing
from doubleread.core.safe_files import read_json
from doubleread.core.types import Json
from doubleread.rag.encoders import _hub
from doubleread.rag.encoders._loading_faults import needs_transformers
from doubleread.rag.encoders._preparation import Preparation, Preprocess, agreed
from doubleread.rag.encoders.encoder_registry import LOCAL_FOLDER

HUB = "hf-hub:"
_CONFIG = "open_clip_config.json"
_LARGEST_CONFIG = 1_000_000
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
STATED: dict[str, Preparation] = {}
"""Architectures that were added in this process and say themselves how their weights want images."""


@dataclass(frozen=True)
class ModelSource:
    """Source of a model: its name in open_clip, its weights file, and what the bare file does not hold."""

    model: str
    weights: Path | None
    preparation: Preparation


def architectures() -> tuple[str, ...]:
    """Returns the names of all architectures of open_clip, without those that were added in this process."""
    return tuple(name for name in open_clip.list_models() if name not in STATED)


def published(name: str) -> dict[str, Preparation]:
    """Returns how each published set of weights of an architecture wants its images, by tag."""
    activation = bool((open_clip.get_model_config(name) or {}).get("quick_gelu", False))
    configs = {tag: open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)}
    return {tag: _prepared(config, activation, f"{name}/{tag}") for tag, config in configs.items()}


def _prepared(config: Mapping[str, Any], activation: bool, source: str) -> Preparation:
    return Preparation(Preprocess.of(config), bool(config.get("quick_gelu", False)) or activation, source)


def locate(
    name: str, tag: str | None, checkpoint: Path | None, preprocess: Preprocess | None, download: bool
) -> ModelSource:
    """Returns where a model is and how it wants its images; the arguments are those of ``OpenClip``.

    Raises ``EncoderError`` and ``WeightsMissing``.
    """
    if name.startswith((HUB, LOCAL_FOLDER)):
        return _from_folder_or_hub(name, checkpoint, preprocess, download)
    _check_name(name)
    _check_text_tower(name, open_clip.get_model_config(name) or {})
    if tag is None and checkpoint is None:
        raise WeightsMissing(
            f"open-clip:{name} names no weights, and random ones are never used: add a tag "
            f"({', '.join(open_clip.list_pretrained_tags_by_model(name)[:6])}, …) or a checkpoint"
        )
    config = _tag_config(name, tag) if tag is not None else {}
    if checkpoint is not None and not checkpoint.is_file():
        raise WeightsMissing(f"the checkpoint {checkpoint} does not exist: name a .pt, .bin or .safetensors file")
    preparation = _preparation(name, tag, preprocess)
    return ModelSource(name, checkpoint or _tag_weights(config, download), preparation)


def _preparation(name: str, tag: str | None, preprocess: Preprocess | None) -> Preparation:
    activation = bool((open_clip.get_model_config(name) or {}).get("quick_gelu", False))
    if preprocess is not None:
        return Preparation(preprocess, published(name)[tag].quick_gelu if tag else activation, "stated by the caller")
    if tag is not None:
        return published(name)[tag]
    return STATED.get(name) or agreed(name, published(name))


def _from_folder_or_hub(
    name: str, checkpoint: Path | None, preprocess: Preprocess | None, download: bool
) -> ModelSource:
    if checkpoint is not None:
        raise EncoderError(f"{name} brings its own weights: give an architecture name with a checkpoint instead")
    config = _folder_config(name) if name.startswith(LOCAL_FOLDER) else _hub_config(name, download)
    model = config.get("model_cfg")
    if not isinstance(model, dict) or not isinstance(config.get("preprocess_cfg"), dict):
        raise EncoderError(f"{_CONFIG} of {name} states no model_cfg and preprocess_cfg: it is no model of open_clip 3")
    if preprocess is None and not {"mean", "std"} <= config["preprocess_cfg"].keys():
        raise EncoderError(f"{_CONFIG} of {name} states no mean and std in preprocess_cfg: add those of its weights")
    _check_text_tower(name, model)
    known = _prepared(config["preprocess_cfg"], bool(model.get("quick_gelu", False)), f"its {_CONFIG}")
    stated = known if preprocess is None else Preparation(preprocess, known.quick_gelu, "stated by the caller")
    return ModelSource(name, None, stated)


def _hub_config(name: str, download: bool) -> Json:
    repo = name.removeprefix(HUB)
    file = _hub.fetch(repo, (_CONFIG,), download=download)
    _hub.fetch(repo, _WEIGHTS, download=download)
    return _read_config(file)


def _folder_config(name: str) -> Json:
    folder = Path(name.removeprefix(LOCAL_FOLDER)).expanduser()
    if not folder.is_dir():
        raise WeightsMissing(f"{folder} is no folder: name one that a model of the hub was downloaded into")
    if not (folder / _CONFIG).is_file():
        raise WeightsMissing(
            f"{folder} holds no {_CONFIG}: download the whole model (hf download ORG/NAME --local-dir)"
        )
    if not any((folder / file).is_file() for file in _WEIGHTS):
        raise WeightsMissing(f"{folder} holds no weights: one of {', '.join(_WEIGHTS)} is needed")
    return _read_config(folder / _CONFIG)


def _read_config(file: Path) -> Json:
    try:
        found = read_json(file, limit=_LARGEST_CONFIG)
    except FileError as error:
        raise EncoderError(f"{file} cannot be read ({error})") from None
    return found if isinstance(found, dict) else {}


def _check_text_tower(name: str, model: Mapping[str, Any]) -> None:
    """Raises ``EncoderError`` if the text tower needs transformers, which are not installed."""
    text = model.get("text_cfg") or {}
    if (text.get("hf_tokenizer_name") or text.get("hf_model_name")) and find_spec("transformers") is None:
        raise needs_transformers(f"open-clip:{name}")


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
