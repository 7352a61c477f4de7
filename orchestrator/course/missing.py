"""A missing reader never makes the panel bolder: what it might have said is tried out.

Where an agent that should have spoken did not, a commitment stands only if it would stand whatever the agent had said:
for every label, its surest opinion for that label on the calibration cases is put in its place.
"""

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Matrix, Tensor3

Flags = NDArray[np.bool_]


def surest_opinions(raw: Tensor3) -> Tensor3:
    """Of each agent, for each label, its surest opinion for it among ``(n, agents, k)``; shape ``(agents, k, k)``.

    NaN for an agent without any.
    """
    agents, k = raw.shape[1:]
    found = np.full((agents, k, k), np.nan)
    for a in range(agents):
        rows = raw[~np.isnan(raw[:, a]).any(axis=1), a]
        if len(rows):
            found[a] = rows[rows.argmax(axis=0)]
    return found


def filled(raw: Tensor3, missing: Flags, surest: Tensor3, label: int) -> Tensor3:
    """Opinions ``(n, agents, k)`` as if the agents ``missing``, ``(n, agents)``, had all spoken for one label."""
    return np.where(missing[..., None], surest[None, :, label], raw)


def replaced(row: Matrix, missing: Flags, surest: Tensor3) -> Tensor3:
    """One case's opinions ``(agents, k)`` in every way that ``filled`` knows, ``(k, agents, k)``."""
    return np.concatenate([filled(row[None], missing[None], surest, label) for label in range(row.shape[1])])
