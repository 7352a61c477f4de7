"""Shared code of encoders that use torch: device, precision, encoding in chunks, fingerprint of the weights."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from PIL import Image

from doubleread.core.errors import EncoderError
from doubleread.core.process import forked_with
from doubleread.core.types import Embeddings, Json

_VALUES = 64


def pick_device(name: str) -> torch.device:
    """Returns the device of that name; ``auto`` tries cuda, then mps, then cpu. Raises ``EncoderError``."""
    if forked_with("torch"):
        torch.set_num_threads(1)  # a forked process lacks the parent's threads and would wait for them
    if name == "auto":
        return torch.device(_available()[0])
    kind = name.partition(":")[0]
    if kind not in _available():
        raise EncoderError(f"device {name!r} is not available here; use one of: auto, {', '.join(_available())}")
    return torch.device(name)


def describe(name: str) -> str:
    """Returns a description of the device with its precision; raises ``EncoderError``."""
    device = pick_device(name)
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)}), half precision"
    return f"{device} ({torch.get_num_threads()} threads), full precision"


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """Uses half precision on a GPU, where it is several times faster, and full precision elsewhere.

    The weights stay in full precision, so that an encoder's fingerprint does not depend on the machine.
    """
    return torch.autocast("cuda", dtype=torch.float16) if device.type == "cuda" else nullcontext()


def encoded(
    features: Callable[[Sequence[Image.Image]], torch.Tensor],
    images: Sequence[Image.Image],
    *,
    chunk: int,
    dim: int,
    device: torch.device,
) -> Embeddings:
    """Applies ``features`` to ``chunk`` images at a time; returns unit-length rows ``(len(images), dim)``."""
    rows = [np.zeros((0, dim), np.float32)]
    for start in range(0, len(images), chunk):
        with torch.inference_mode(), precision(device):
            rows.append(unit_length(features(images[start : start + chunk])))
    return np.concatenate(rows)


def unit_length(features: torch.Tensor) -> Embeddings:
    """Normalises the rows to unit length and returns them as an array."""
    rows: Embeddings = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
    return rows


def _available() -> list[str]:
    found = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True)]
    return [name for name, present in found if present]


def weights_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Hashes every tensor's name, shape and up to 64 evenly spaced values.

    Training changes nearly every value, so a sample tells two sets of weights apart. Unlike a hash of the file, it does
    not depend on the file format.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        flat = state[name].detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // _VALUES)][:_VALUES].to("cpu", torch.float32)
        digest.update(f"{name}{tuple(state[name].shape)}".encode())
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()


def fingerprint(kind: str, name: str, weights: str, preprocess: Json) -> str:
    """Returns ``<kind>-<12 hexadecimal digits>`` over everything that the vectors depend on."""
    record = json.dumps([kind, name, weights, preprocess], sort_keys=True)
    return f"{kind}-{hashlib.sha256(record.encode()).hexdigest()[:12]}"
