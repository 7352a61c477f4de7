"""Says why weights could not be loaded, and what to do."""

import re

from doubleread.core.errors import EncoderError

_LINES = {
    "missing": re.compile(r"Missing key\(s\) in state_dict: (.*)"),
    "unknown": re.compile(r"Unexpected key\(s\) in state_dict: (.*)"),
}
_SIZE = re.compile(r"size mismatch for ([\w.]+)")
_REFUSED = re.compile(r"weights.only|unpickl|unsupported (global|operand)|allow_pickle", re.IGNORECASE)
_BROKEN = re.compile(
    r"PytorchStreamReader|central directory|unexpected EOF|header ?too ?(large|small)|incomplete|metadata|truncated"
    r"|invalid load key|deserializ|not a zip|corrupt",
    re.IGNORECASE,
)


def loading_fault(spec: str, where: object, error: Exception) -> EncoderError:
    """Converts an exception of loading ``spec`` from ``where`` to an error with a remedy."""
    text = str(error)
    if isinstance(error, ImportError) or "requires the transformers" in text or "pip install transformers" in text:
        return needs_transformers(spec)
    if differing := _differing(text):
        what = f"the weights belong to another architecture ({differing})"
        remedy = "name the architecture that they were trained with"
    elif _REFUSED.search(text):
        what = "the file holds more than numbers, and code in it is not run"
        remedy = "save its state_dict alone, best as .safetensors"
    elif _BROKEN.search(text) or isinstance(error, EOFError):
        what, remedy = "the file is incomplete or no checkpoint", "download or copy it again"
    elif "offline" in text.lower() or "couldn't connect" in text or "not find" in text:
        what = f"a file of the hub is not on this machine ({_brief(text)})"
        remedy = "allow downloads (download=True), or copy the cache folder here (HF_HOME)"
    else:
        what, remedy = _brief(text) or type(error).__name__, "check the file and the name of the architecture"
    return EncoderError(f"{spec} cannot be loaded from {where}: {what}; {remedy}")


def needs_transformers(spec: str) -> EncoderError:
    """The error for a model that needs transformers where they are not installed."""
    return EncoderError(f"{spec} needs the package transformers: pip install 'doubleread[hub]'")


def _differing(text: str) -> str:
    counts = {kind: len(found[1].split(", ")) for kind, line in _LINES.items() if (found := line.search(text))}
    sizes = _SIZE.findall(text)
    parts = [f"{n} tensors {kind}" for kind, n in counts.items()]
    if sizes:
        parts.append(f"{len(sizes)} of another shape, such as {sizes[0]}")
    return ", ".join(parts) or (_brief(text).rstrip("!") if "width changed" in text else "")


def _brief(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else ""
