"""Builds an encoder from a spec such as ``open-clip:ViT-B-32/datacomp_xl_s13b_b90k``."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from doubleread.core.errors import EncoderError
from doubleread.core.ports import Encoder
from doubleread.rag.encoders import _hub
from doubleread.rag.encoders.encoder_registry import ENCLOSED, ENCODERS, LOCAL_FOLDER

ON_THE_HUB = frozenset({"open-clip", "timm"})
"""Encoders whose weights are taken from the hub's cache, or downloaded with ``download``."""
FALLBACK = "efficientnet-lite0"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
DEFAULTS: tuple[tuple[str, str], ...] = (
    ("open-clip:ViT-B-32-256/datacomp_s34b_b86k", "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K"),
    ("open-clip:ViT-B-32/datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K"),
)
"""The specs and hub repositories that ``auto`` looks for in the cache, best first."""


@dataclass(frozen=True)
class EncoderChoice:
    """The encoder that a spec resolves to on this machine; a ``fallback`` must be announced to the user."""

    name: str
    reason: str
    fallback: bool


def choose(spec: str = "auto") -> EncoderChoice:
    """Returns the encoder that ``build`` would use, and the reason; loads no model. Raises ``UnknownPart``."""
    if spec != "auto":
        ENCODERS.check([spec.partition(":")[0]])
        return EncoderChoice(spec, "it was asked for", fallback=False)
    for name, repo in DEFAULTS:
        if _hub.cached(repo, WEIGHTS) is not None:
            return EncoderChoice(name, f"its weights ({repo}) are on this machine", fallback=False)
    _, repo = DEFAULTS[-1]
    return EncoderChoice(
        FALLBACK,
        "no CLIP weights are on this machine, so the built-in ImageNet features are used: good for similar cases and "
        f"heads fitted on labelled ones, but without a text tower. For CLIP: hf download {repo} {WEIGHTS[0]}",
        fallback=True,
    )


def build(
    spec: str = "auto", *, device: str = "auto", checkpoint: Path | None = None, download: bool = False
) -> Encoder:
    """Loads the encoder of a spec on ``device`` (auto, cuda, mps, cpu).

    Specs: ``auto``, as resolved by ``choose``; ``efficientnet-lite0``; ``open-clip:<architecture>/<tag>``;
    ``open-clip:hf-hub:<org>/<name>``; ``open-clip:local-dir:<folder>``; ``open-clip:<architecture>`` or
    ``open-clip:<architecture>/<tag>`` with a local ``checkpoint``; ``timm:<architecture>``. Weights are downloaded
    only with ``download``. Raises ``UnknownPart``, ``WeightsMissing`` or ``EncoderError``.
    """
    kind, _, argument = choose(spec).name.partition(":")
    try:
        builder = ENCODERS.get(kind)
    except (ImportError, RuntimeError, OSError) as error:
        raise explain(kind, error) from None
    encoder: Encoder = builder(argument, device=device, checkpoint=checkpoint, download=download)
    return encoder


def within_reach(spec: str, *, download: bool) -> bool:
    """Whether ``build`` would use only this package and weights that are on this machine or that ``auto`` takes."""
    kind = spec.partition(":")[0]
    if spec == "auto" or kind in ENCODERS.having(ENCLOSED):
        return True
    named = spec.partition(":")[2].startswith(LOCAL_FOLDER)
    return kind in ON_THE_HUB and not named and (not download or spec in dict(DEFAULTS))


def probe_device(name: str = "auto") -> str:
    """Returns in words the device that an encoder would use, or why it cannot; loads torch."""
    try:
        device = import_module("doubleread.rag.encoders._torch_support")
        return str(device.describe(name))
    except EncoderError as error:
        return str(error)
    except (ImportError, RuntimeError, OSError) as error:
        return str(explain("torch", error))


def explain(kind: str, error: Exception) -> EncoderError:
    """Returns an error that says what to do if the libraries of an encoder do not load."""
    if "torchvision::" in str(error):
        return EncoderError(
            f"torch and torchvision do not match ({error}): install a pair that belongs together, "
            "for example pip install --force-reinstall torch torchvision"
        )
    return EncoderError(
        f"encoder {kind!r} cannot be loaded ({error}): install doubleread again, in its folder with "
        "pip install --force-reinstall -e ."
    )
