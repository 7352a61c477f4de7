"""How near the nearest case usually is, by hand."""

import numpy as np
import pytest
from rag_support import bare_case

from doubleread.core.stored import StoredCase
from doubleread.rag.stores._archive_index import least_usual_similarity
from doubleread.rag.stores.contents import CaseRow, Contents


def contents(angles, groups):
    turns = np.radians(angles)
    rows = np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)
    stored = [
        StoredCase(case=bare_case(i, group=group), added="2026-01-01T00:00:00Z") for i, group in enumerate(groups)
    ]
    return Contents([CaseRow.of(one) for one in stored], rows)


def test_a_case_is_not_its_own_neighbour_nor_is_its_group():
    alone = contents([0, 60], [None, None])
    assert least_usual_similarity(alone) == pytest.approx(0.5, abs=1e-6)
    grouped = contents([0, 1, 60], ["a", "a", None])
    # nearest outside the group: cos 60, cos 59, cos 59; their 2 % quantile lies just above the least
    assert least_usual_similarity(grouped) == pytest.approx(0.5 + 0.04 * (np.cos(np.radians(59)) - 0.5), abs=1e-6)


def test_where_no_case_has_another_everything_is_usual():
    assert least_usual_similarity(contents([10], [None])) == -1
    assert least_usual_similarity(Contents.empty(3)) == -1
