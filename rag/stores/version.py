"""The version of a store that keeps no chronicle: a digest of what it holds."""

import hashlib
from collections.abc import Iterable

from doubleread.core.stored import StoredCase


def version_of(stored: Iterable[StoredCase]) -> str:
    """Sixteen hexadecimal digits; equal for equal cases, tags and labels, whatever order they came in."""
    lines = sorted(f"{one.case.model_dump_json()} {' '.join(one.tags)}" for one in stored)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
