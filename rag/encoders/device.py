"""Where an encoder computes, and how finely."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from doubleread.core.errors import EncoderError
from doubleread.core.process import forked_with


def pick_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes cuda, then mps, then cpu. Raises ``EncoderError``."""
    if forked_with("torch"):
        torch.set_num_threads(1)  # the parent's other threads are not here, and would be waited for
    if name == "auto":
        return torch.device(_available()[0])
    kind = name.partition(":")[0]
    if kind not in _available():
        raise EncoderError(f"device {name!r} is not available here; use one of: auto, {', '.join(_available())}")
    return torch.device(name)


def describe(name: str) -> str:
    """The device of that name in words, with its precision; raises ``EncoderError``."""
    device = pick_device(name)
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)}), half precision"
    return f"{device} ({torch.get_num_threads()} threads), full precision"


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """Half precision on a GPU, where it is several times faster; full precision elsewhere.

    The weights stay in full precision, so that an encoder's fingerprint does not depend on the machine.
    """
    return torch.autocast("cuda", dtype=torch.float16) if device.type == "cuda" else nullcontext()


def _available() -> list[str]:
    found = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True)]
    return [name for name, present in found if present]
