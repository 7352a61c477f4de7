"""Whatever is done to a panel's folder is an error of our own, or changes nothing that it says.

The benchmark ``shared_panels`` does three hundred of these to a panel of real photographs.
"""

import shutil

import numpy as np
import pytest

from benchmarks.mutations import BYTES, STATEMENTS, mutate, statement
from doubleread.core.errors import DoublereadError
from doubleread.core.verdict import Unread
from doubleread.panel import Panel

SEED, RANDOM = 7, 10
CHANGES = [*BYTES, *map(statement, STATEMENTS)]


@pytest.fixture(scope="module")
def cases(dataset):
    return dataset.cases[::9]


@pytest.fixture(scope="module")
def usual(made, quick, cases):
    return said(made, quick, cases)


def said(folder, settings, cases):
    """Everything that decides in the verdicts, or the error: of loading, or of a case whose record is damaged."""
    try:
        with Panel.load(folder, settings=settings) as panel:
            verdicts = list(panel.diagnose_many(cases))
    except DoublereadError as error:
        return f"{type(error).__name__}: {error}"
    for one in verdicts:
        if isinstance(one, Unread):
            return one.problem
    return [
        (v.posterior, v.prediction_set, v.decision, v.track, v.evidence, v.warnings, v.trust_version) for v in verdicts
    ]


@pytest.mark.parametrize("number", range(len(CHANGES) + RANDOM))
def test_a_mutated_panel_is_refused_or_the_same(made, quick, cases, usual, tmp_path, number):
    folder, rng = shutil.copytree(made, tmp_path / "panel"), np.random.default_rng([SEED, number])
    what = CHANGES[number](folder, rng) if number < len(CHANGES) else mutate(folder, rng)
    found = said(folder, quick, cases)
    assert isinstance(found, str) or found == usual, what
    if isinstance(found, str):
        assert len(found) < 1000, what
        assert "panel" in found or "archive" in found, what


def test_the_comparison_would_notice(made, quick, cases, usual):
    """The control: the same folder says the same again, and other pictures get other verdicts."""
    assert said(made, quick, cases) == usual
    assert said(made, quick, cases[1:]) != usual
