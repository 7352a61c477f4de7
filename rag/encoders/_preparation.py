"""How a model wants its images, and with which activation it was trained.

Weights do not say this themselves. Other values give other embeddings without any error, so nothing is assumed: the
values are those of the tag, of all published tags of the architecture where they agree, or stated.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doubleread.core.errors import EncoderError

OPENAI_MEAN, OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_SHOWN = 8
"""Tags that are listed for one set of values."""


@dataclass(frozen=True)
class Preprocess:
    """How pixels are prepared for a model; the defaults are those of OpenAI's CLIP."""

    mean: tuple[float, ...] = OPENAI_MEAN
    std: tuple[float, ...] = OPENAI_STD
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Preprocess":
        """Reads those values that a configuration states."""
        return cls(
            mean=tuple(config.get("mean") or OPENAI_MEAN),
            std=tuple(config.get("std") or OPENAI_STD),
            interpolation=str(config.get("interpolation") or "bicubic"),
            resize_mode=str(config.get("resize_mode") or "shortest"),
        )


@dataclass(frozen=True)
class Preparation:
    """Preprocessing and activation of a model's weights; ``source`` says where they are from."""

    preprocess: Preprocess
    quick_gelu: bool
    source: str = ""

    def __str__(self) -> str:
        activation = "quick GELU" if self.quick_gelu else "GELU"
        mean, std = (", ".join(f"{value:g}" for value in one) for one in (self.preprocess.mean, self.preprocess.std))
        return f"mean {mean}; std {std}; {self.preprocess.interpolation}, {self.preprocess.resize_mode}; {activation}"


def agreed(name: str, published: Mapping[str, Preparation]) -> Preparation:
    """Returns what all published weights of an architecture agree on, by tag.

    Raises ``EncoderError`` if they differ, or if there are none.
    """
    tags = defaultdict[Preparation, list[str]](list)
    for tag, one in published.items():
        tags[Preparation(one.preprocess, one.quick_gelu)].append(tag)
    if len(tags) == 1:
        (one,) = tags
        return Preparation(one.preprocess, one.quick_gelu, f"what all {len(published)} published weights of {name} use")
    if not tags:
        raise EncoderError(
            f"no weights of {name} are published, so it is not known how this checkpoint wants its images. Put it into "
            "a folder as open_clip_model.safetensors, with an open_clip_config.json whose preprocess_cfg states mean, "
            "std, interpolation and resize_mode, and name that folder: open-clip:local-dir:FOLDER"
        )
    listed = "\n".join(f"  - {one}: {_some(names)}" for one, names in tags.items())
    raise EncoderError(
        f"weights of {name} were trained in {len(tags)} ways, and a checkpoint does not say in which. Name the tag "
        f"that yours was trained from or like, as in open-clip:{name}/{next(iter(published))}, beside the checkpoint:\n"
        f"{listed}"
    )


def _some(tags: list[str]) -> str:
    more = f" and {len(tags) - _SHOWN} more" if len(tags) > _SHOWN else ""
    return f"{', '.join(tags[:_SHOWN])}{more}"
