"""The guarantees benchmark on made-up posteriors."""

import numpy as np
import pytest

from benchmarks import Skipped
from benchmarks.bench_guarantees import paper_guarantees, promises


def posteriors(n, seed=0):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(3, 0.2), size=n)
    return P[None], (P.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1), rng.random(n)


def test_promises_are_measured_on_the_halves_that_did_not_make_them():
    found = {figure.name: figure for figure in promises("made up", *posteriors(400))}
    assert len(found) == 3 * 2 * 3 + 2 * 2
    for score in ("lac", "aps", "raps"):
        for coverage in (0.9, 0.95):
            sets = found[f"made up, {score} sets at {coverage:.0%}: coverage"]
            assert sets.n == 200
            # Putting the likeliest label into empty sets can only add.
            assert coverage - 0.02 < sets.value < coverage + 0.05
            assert 1 <= found[f"made up, {score} sets at {coverage:.0%}: labels in a set"].value <= 3
    lac, aps = (found[f"made up, {score} sets at 90%: labels in a set"].value for score in ("lac", "aps"))
    assert lac < aps
    assert 0.2 < found["made up, at most 10% wrong: committed"].value < 0.9
    assert found["made up, at most 10% wrong: wrong among the committed"].met


def test_halves_too_small_to_promise_anything_are_counted():
    found = {figure.name: figure for figure in promises("made up", *posteriors(80))}
    # 40 cases in a half; 45 would be needed without an error.
    assert found["made up, at most 5% wrong: committed"].value == 0
    assert "40 of 40 halves could promise nothing" in found["made up, at most 5% wrong: committed"].note


def test_without_the_record_it_is_skipped(monkeypatch):
    monkeypatch.delenv("DOUBLEREAD_PAPER", raising=False)
    with pytest.raises(Skipped, match="DOUBLEREAD_PAPER"):
        next(paper_guarantees())
