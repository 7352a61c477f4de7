"""What servers lack: read off the error that names it, so that the question can be put without it."""

import re

from doubleread.agents.wire.request import Request

_SIGNS = (
    ("logprobs", re.compile(r"logprobs", re.IGNORECASE)),
    ("max_completion_tokens", re.compile(r"max_completion_tokens", re.IGNORECASE)),
    ("temperature", re.compile(r"temperature", re.IGNORECASE)),
    ("json_object", re.compile(r"json_object|json mode", re.IGNORECASE)),
    ("json_schema", re.compile(r"json_schema|response_format|structured output|guided", re.IGNORECASE)),
)


def missing_feature(message: str, request: Request, lacking: frozenset[str]) -> str | None:
    """The feature that an error complains of, if this request used it; None where it complains of something else."""
    used = _used(request) - lacking
    found = next((name for name, sign in _SIGNS if name in used and sign.search(message)), None)
    if found is None and "json_object" in used and "json_schema" in lacking and _SIGNS[-1][1].search(message):
        return "json_object"  # a server without any response_format names neither
    return found


def _used(request: Request) -> frozenset[str]:
    used = {"max_completion_tokens"}
    if request.answer_schema is not None:
        used |= {"json_schema", "json_object"}
    if request.top_logprobs:
        used.add("logprobs")
    if request.temperature is not None:
        used.add("temperature")
    return frozenset(used)
