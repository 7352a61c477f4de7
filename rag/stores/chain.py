"""A chain of digests: each covers what happened and the digest before it."""

import hashlib
import json
from collections.abc import Sequence

START = "0" * 64


def chained(before: str, values: Sequence[object]) -> str:
    """The digest after ``values`` happened; sha256 in hex."""
    return hashlib.sha256(json.dumps([before, *values]).encode()).hexdigest()
