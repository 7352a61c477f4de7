"""Chance that can be repeated: a number in [0, 1) that belongs to a case, not to the hour."""

import hashlib
from collections.abc import Iterable

import numpy as np

from doubleread.core.types import Matrix, Vector

_SALT = b"doubleread conformal sets\0"
_BITS = 53
"""As many as a float holds exactly."""


def chances(case_ids: Iterable[str]) -> Vector:
    """One number a case from the sha256 of its id, shape ``(n,)``: uniform over cases, always the same for one."""
    return np.array([_uniform(case_id.encode()) for case_id in case_ids], dtype=float)


def row_chances(P: Matrix) -> Vector:
    """One number a row from the sha256 of the row itself, to nine decimals, shape ``(n,)``.

    Equal distributions get equal sets. Coverage does not suffer: a score that is a fixed function of distribution and
    label keeps the promise whatever that function is.
    """
    rounded = np.round(np.asarray(P, dtype="<f8"), 9) + 0.0  # -0.0 and 0.0 are one number, but not the same bytes
    return np.array([_uniform(row.tobytes()) for row in rounded], dtype=float)


def _uniform(key: bytes) -> float:
    digest = hashlib.sha256(_SALT + key).digest()
    return float(int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / 2.0**_BITS
