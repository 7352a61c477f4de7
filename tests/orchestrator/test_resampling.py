import numpy as np
import pytest

from doubleread.core.errors import DataError
from doubleread.orchestrator.resampling import bootstrap, group_codes, grouped_folds


def test_groups_stay_together_and_every_case_is_judged_once():
    labels = np.repeat([0, 1, 2], 60)
    groups = [f"{label}/{i // 5}" for i, label in enumerate(labels)]
    folds = grouped_folds(labels, groups, 5, seed=0)
    assert len(folds) == 5
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(180))
    for train, test in folds:
        assert not {groups[i] for i in train} & {groups[i] for i in test}
        assert set(labels[train]) == {0, 1, 2}
        assert np.bincount(labels[test], minlength=3).min() >= 5


def test_the_same_seed_gives_the_same_folds():
    labels = np.tile([0, 1], 30)
    first, again, other = (grouped_folds(labels, None, 3, seed) for seed in (1, 1, 2))
    assert all((a.test == b.test).all() for a, b in zip(first, again, strict=True))
    assert any(a.test.tolist() != b.test.tolist() for a, b in zip(first, other, strict=True))


def test_few_groups_give_fewer_folds():
    labels = np.repeat([0, 1], 20)
    groups = [f"{label}/{i % (3 if label else 10)}" for i, label in enumerate(labels)]
    assert len(grouped_folds(labels, groups, 5, seed=0)) == 3


@pytest.mark.parametrize(("labels", "groups"), [([0, 0, 1, 1], ["a", "b", "c", "c"]), ([0, 0, 1], None), ([], None)])
def test_a_label_with_one_group_cannot_be_cross_fitted(labels, groups):
    with pytest.raises(DataError, match="each label in at least 2 groups"):
        grouped_folds(np.array(labels, dtype=int), groups, 5, seed=0)


def test_one_group_of_everything_cannot_be_split():
    with pytest.raises(DataError, match="each label in at least 2 groups"):
        grouped_folds(np.array([0, 1, 0, 1]), ["a", "a", "a", "a"], 2, seed=0)


def test_cases_without_a_group_are_their_own():
    assert len(set(group_codes([None, None, "x", "x"], 4).tolist())) == 3
    with pytest.raises(DataError, match="2 groups for 3 cases"):
        group_codes(["a", "b"], 3)


def test_bootstrap_covers_the_mean():
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(60):
        x = rng.normal(size=80)
        found = bootstrap(lambda rows, x=x: float(x[rows].mean()), 80, draws=200, seed=seed)
        assert found.value == pytest.approx(x.mean())
        hits += found.low <= 0 <= found.high
    assert 50 <= hits <= 60


def test_groups_widen_the_interval():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=20), 10)
    groups = [str(i // 10) for i in range(200)]
    alone = bootstrap(lambda rows: float(x[rows].mean()), 200, draws=300)
    grouped = bootstrap(lambda rows: float(x[rows].mean()), 200, draws=300, groups=groups)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_no_cases_no_estimate():
    with pytest.raises(DataError, match="no cases"):
        bootstrap(lambda rows: 0.0, 0)
