"""The version of a store that keeps no chronicle: a digest of what it holds."""

import hashlib
from collections.abc import Callable, Iterable

from doubleread.core.stored import StoredCase


class Versioned:
    """Remembers the version of contents that are never changed in place."""

    def __init__(self) -> None:
        self._of: object = None
        self._version = ""

    def of(self, contents: object, stored: Callable[[], Iterable[StoredCase]]) -> str:
        """That of the cases; they are looked at only where the contents are other than before."""
        if self._of is not contents:
            self._of, self._version = contents, version_of(stored())
        return self._version


def version_of(stored: Iterable[StoredCase]) -> str:
    """Sixteen hexadecimal digits; equal for equal cases, tags and labels, whatever order they came in."""
    lines = sorted(f"{one.case.model_dump_json()} {' '.join(one.tags)}" for one in stored)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
