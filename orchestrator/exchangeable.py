"""What the guarantees rest on: held-out cases and new ones that could have changed places."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from doubleread.orchestrator.resampling import group_codes

Groups = Sequence[str | None] | NDArray[np.generic] | None


def kinship(groups: Groups, n: int) -> str:
    """What must be said where the ``n`` held-out cases come in groups; empty where each stands alone.

    Cases of one patient or plant are alike: they tell less than as many strangers, and a promise learned from them
    is exact only for new cases that come from groups in the same way.
    """
    found = len(np.unique(group_codes(groups, n)))
    if found == n:
        return ""
    return f"the {n} held-out cases come from {found} groups: the promise is as if each case stood alone"
