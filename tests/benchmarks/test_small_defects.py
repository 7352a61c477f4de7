"""The generated surfaces, and that patches find in them what the pooled embedding does not."""

import numpy as np
import pytest

from benchmarks.small_defects import SHARES, surfaces
from doubleread.agents.patch_memory import fill
from doubleread.core.errors import WeightsMissing
from doubleread.rag.encoders import build


def test_defects_are_small_and_the_same_for_the_same_seed():
    one, two = surfaces(8, 3, defective=True), surfaces(8, 3, defective=True)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, two, strict=True))
    shares = [a.mask.mean() for a in one]
    assert min(shares) > SHARES[0] / 3
    assert max(shares) < 1.1 * SHARES[1]
    assert not any(a.mask.any() for a in surfaces(2, 3, defective=False))


def test_patches_find_a_defect_of_one_percent():
    try:
        encoder = build("efficientnet-lite0", device="cpu")
    except WeightsMissing as error:
        pytest.skip(str(error))
    good, new, bad = surfaces(16, 0, defective=False), surfaces(8, 1, defective=False), surfaces(8, 1, defective=True)
    memory = fill(encoder.encode_patches([one.image for one in good]).patches, np.zeros(16, int), np.arange(16), 1)

    def worst(some):
        seen = encoder.encode_patches([one.image for one in some]).patches
        return [memory.memory.look(one).distances[0] for one in seen]

    plain, marked = worst(new), worst(bad)
    assert np.mean([one.max() > other.max() for one in marked for other in plain]) > 0.7
    assert np.mean([_hit(one.mask, values) for one, values in zip(bad, marked, strict=True)]) > 0.5


def _hit(mask, values):
    """Whether the defect is in the highest patch or in one beside it."""
    row, column = np.unravel_index(values.argmax(), values.shape)
    side = len(mask) // len(values)
    down, across = (slice(side * max(0, at - 1), side * (at + 2)) for at in (row, column))
    return bool(mask[down, across].any())
