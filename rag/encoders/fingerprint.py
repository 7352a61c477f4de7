"""A short name for an encoder that changes when its vectors would."""

import hashlib
import json
from collections.abc import Mapping

import torch

from doubleread.core.types import Json

_VALUES = 64


def weights_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Hash of every tensor's name, shape and up to 64 evenly spaced values.

    Training moves nearly every value, so a sample tells two sets of weights apart; and unlike a hash of the file it is
    the same for the same weights in another file format.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        flat = state[name].detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // _VALUES)][:_VALUES].to("cpu", torch.float32)
        digest.update(f"{name}{tuple(state[name].shape)}".encode())
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()


def fingerprint(kind: str, name: str, weights: str, preprocess: Json) -> str:
    """``<kind>-<12 hexadecimal digits>`` over everything that the vectors depend on."""
    record = json.dumps([kind, name, weights, preprocess], sort_keys=True)
    return f"{kind}-{hashlib.sha256(record.encode()).hexdigest()[:12]}"
