"""APS and RAPS by hand, chance that can be repeated, and what cannot be used."""

import numpy as np
import pytest

from doubleread.core.errors import DataError, UnknownPart
from doubleread.orchestrator.conformal import SCORES, ConformalSets, chances
from doubleread.orchestrator.conformal._sets import HeldOutScores, row_chances
from doubleread.orchestrator.conformal.aps import aps, ranks
from doubleread.orchestrator.conformal.lac import lac
from doubleread.orchestrator.conformal.raps import raps

ROW = np.array([[0.2, 0.5, 0.3]])
HALF = np.array([0.5])


def hard(n, seed, k=4):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(k, 0.7), size=n)
    y = (P.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    return P, y, rng.random(n)


def test_scores_by_hand():
    assert lac(ROW, HALF) == pytest.approx(np.array([[0.8, 0.5, 0.7]]))
    # Likeliest first: 0.5 u, then 0.5 + 0.3 u, then 0.8 + 0.2 u.
    assert aps(ROW, HALF) == pytest.approx(np.array([[0.9, 0.25, 0.65]]))
    assert aps(ROW, np.array([0.0])) == pytest.approx(np.array([[0.8, 0.0, 0.5]]))
    # Ranks 3, 1, 2; beyond the first free one each costs 0.1.
    assert raps(ROW, HALF) == pytest.approx(np.array([[1.1, 0.25, 0.75]]))


def test_of_equal_probabilities_the_first_label_comes_first():
    assert ranks(np.array([[0.25, 0.5, 0.25]])).tolist() == [[2, 1, 3]]


def test_an_aps_set_is_what_the_threshold_lets_in():
    held_out = HeldOutScores.of(np.full(99, 0.7), None)
    sets = ConformalSets(coverage=0.9, kind="marginal", held_out=(held_out,), n=99, score="aps")
    assert sets.predict(ROW, HALF) == [(1, 2)]
    assert sets.predict(ROW, np.array([0.9])) == [(1,)]  # 0.5 + 0.27 is beyond 0.7


@pytest.mark.parametrize("score", SCORES.names())
def test_every_score_travels_as_json_and_says_the_same_again(score):
    P, y, u = hard(150, 2)
    sets = ConformalSets.fit(P, y, 0.9, score, u=u)
    again = ConformalSets.model_validate_json(sets.model_dump_json())
    assert again == sets
    assert again.predict(P, u) == sets.predict(P, u)
    assert sets.kind == "class-conditional"


@pytest.mark.parametrize("score", SCORES.names())
def test_without_chances_the_distributions_give_them(score):
    P, y, _ = hard(150, 3)
    sets = ConformalSets.fit(P, y, 0.9, score)
    backwards = sets.predict(P[::-1])[::-1]
    assert backwards == sets.predict(P)  # a set belongs to the distribution, not to its place


def test_chances_are_uniform_and_belong_to_a_case():
    ids = [f"{i:064x}" for i in range(4000)]
    found = chances(ids)
    assert found.min() >= 0
    assert found.max() < 1
    # Uniform: each tenth holds 400 of 4000, standard deviation 19.
    assert np.abs(np.histogram(found, 10, (0, 1))[0] - 400).max() < 80
    assert chances(ids[7:8])[0] == found[7]
    assert chances(["a"])[0] == pytest.approx(0.01689068164614882)  # on every machine


def test_row_chances_do_not_hang_on_the_last_bits():
    assert row_chances(ROW)[0] == row_chances(ROW + 1e-13)[0]
    assert row_chances(np.array([[0.0, 1.0]])) == row_chances(np.array([[-0.0, 1.0]]))
    assert row_chances(ROW)[0] != row_chances(ROW[:, ::-1])[0]


def test_groups_are_named_in_the_note():
    P, y, _ = hard(150, 4)
    alone, kin = (ConformalSets.fit(P, y, groups=groups) for groups in (None, [f"{i // 3}" for i in range(150)]))
    assert alone.note.startswith("90% sets hold for new images like the calibration images; without groups")
    assert kin.note.startswith("90% sets hold for new groups")
    assert sum(one.units for one in alone.held_out) == 150
    assert all(one.units <= 50 for one in kin.held_out)


def test_what_cannot_be_used_is_refused():
    P, y, u = hard(50, 5)
    with pytest.raises(UnknownPart, match="aps, lac, raps"):
        ConformalSets.fit(P, y, score="saps")
    with pytest.raises(DataError, match="between 0 and 1"):
        ConformalSets.fit(P, y, coverage=1.0)
    with pytest.raises(DataError, match="one row for each label"):
        ConformalSets.fit(P, y[:-1])
    with pytest.raises(DataError, match="NaN"):
        ConformalSets.fit(np.where(P > 0.8, np.nan, P), y)
    with pytest.raises(DataError, match="one for each of 50 cases"):
        ConformalSets.fit(P, y, score="aps", u=u[:3])
