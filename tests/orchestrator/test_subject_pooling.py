"""Posteriors of a subject's images become one: worked numbers, and what is learned from which subjects."""

import numpy as np
import pytest

from doubleread.core.case import Case
from doubleread.core.subject_groups import whole_groups
from doubleread.orchestrator.learning.subject_pooling import HeldOutImages, SubjectPooling, SubjectRows, learn_pooling
from doubleread.orchestrator.metrics import losses

PRIOR = np.array([0.5, 0.3, 0.2])
P = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]])
ONE = np.zeros(2, dtype=np.int64)


def images(n_subjects=40, size=3, *, shared=0.0, seed=0, skill=1.0):
    """Calibrated posteriors of ``size`` images a subject, whose evidence is the same to the share ``shared``."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_subjects) % 3
    common = rng.normal(size=(n_subjects, 3))
    own = rng.normal(size=(n_subjects, size, 3))
    z = skill**2 * np.eye(3)[labels][:, None] + skill * (np.sqrt(shared) * common[:, None] + np.sqrt(1 - shared) * own)
    p = np.exp(z)
    p /= p.sum(axis=2, keepdims=True)
    subjects = np.repeat([f"plant {i}" for i in range(n_subjects)], size)
    y = np.repeat(labels, size)
    held = HeldOutImages(p.reshape(-1, 3), y, np.repeat(np.arange(n_subjects), size))
    return held, subjects.tolist()


def test_the_mean_is_the_mean_of_the_images():
    assert SubjectPooling().pool(P, ONE, PRIOR)[0] == pytest.approx([0.7, 0.2, 0.1])


def test_an_image_that_says_nothing_counts_as_the_prior():
    pooled = SubjectPooling().pool(P, ONE, PRIOR, silent=2)[0]
    assert pooled == pytest.approx((P.sum(axis=0) + 2 * PRIOR) / 4)


def test_alike_images_are_worth_one_and_the_log_pool_is_their_geometric_mean():
    pooled = SubjectPooling(rule="log-pool", rho=1, most=5).pool(P, ONE, PRIOR)[0]
    mean = np.sqrt(P[0] * P[1])
    assert pooled == pytest.approx(mean / mean.sum())


def test_independent_images_multiply_and_the_prior_counts_once():
    pooled = SubjectPooling(rule="log-pool", rho=0, most=5).pool(P, ONE, PRIOR)[0]
    bayes = P[0] * P[1] / PRIOR
    assert pooled == pytest.approx(bayes / bayes.sum())


def test_images_that_only_repeat_the_prior_leave_the_prior():
    same = np.tile(PRIOR, (4, 1))
    for rho in (0, 0.5, 1):
        pooled = SubjectPooling(rule="log-pool", rho=rho, most=9).pool(same, np.zeros(4, dtype=np.int64), PRIOR)
        assert pooled[0] == pytest.approx(PRIOR)


def test_the_effective_number_of_images_is_that_of_a_cluster_sample():
    pooled = SubjectPooling(rule="log-pool", rho=0.5, most=2).pool(P[[0, 0]], ONE, PRIOR)[0]
    odds = np.log(pooled / PRIOR)
    single = np.log(P[0] / PRIOR)
    assert odds[0] - odds[1] == pytest.approx(4 / 3 * (single[0] - single[1]))  # 2 / (1 + .5)


def test_images_beyond_those_of_calibration_subjects_add_nothing():
    pool = SubjectPooling(rule="log-pool", rho=0, most=2)
    two = pool.pool(P[[0, 0]], ONE, PRIOR)
    nine = pool.pool(P[[0] * 9], np.zeros(9, dtype=np.int64), PRIOR)
    assert nine == pytest.approx(two)


@pytest.mark.parametrize("rule", ["mean", "log-pool"])
@pytest.mark.parametrize("rho", [0, 0.3, 1])
def test_one_image_keeps_its_posterior_and_a_silent_one_never_makes_it_surer(rule, rho):
    pool, alone = SubjectPooling(rule=rule, rho=rho, most=5), np.zeros(1, dtype=np.int64)
    assert pool.pool(P[:1], alone, PRIOR)[0] == pytest.approx(P[0])
    falling = [pool.pool(P, ONE, PRIOR, silent=n)[0, 0] for n in range(5)]
    assert falling == sorted(falling, reverse=True)


def test_independent_images_are_learned_to_be_worth_more_than_one():
    held, subjects = images(200, shared=0.0)
    found = learn_pooling(held, subjects, np.full(3, 1 / 3))
    assert (found.rule, found.most) == ("log-pool", 3)
    assert found.rho < 0.3
    assert "clearly better than the mean" in found.note
    assert set(found.held_out.rho) <= set(np.linspace(0, 1, 21).round(2))


def test_images_that_show_the_same_are_learned_to_be_alike():
    held, subjects = images(200, shared=1.0)
    found = learn_pooling(held, subjects, np.full(3, 1 / 3))
    assert found.rule == "mean"  # three times the same posterior: no rule can gain
    assert found.rho > 0.7


def test_the_learned_rule_lowers_the_log_loss_of_new_subjects():
    held, subjects = images(200, shared=0.3)
    found, prior = learn_pooling(held, subjects, np.full(3, 1 / 3)), np.full(3, 1 / 3)
    new, names = images(400, shared=0.3, seed=1)
    codes = np.unique(names, return_inverse=True)[1]
    y = new.labels[np.unique(codes, return_index=True)[1]]
    pooled = losses(found.pool(new.posterior, codes, prior), y).mean()
    assert pooled < losses(SubjectPooling().pool(new.posterior, codes, prior), y).mean()
    assert pooled < losses(new.posterior, new.labels).mean() - 0.1


def test_subjects_that_are_all_right_do_not_make_the_pool_sure_beyond_their_number():
    sure = np.where(np.eye(3) > 0, 0.98, 0.01)
    y = np.repeat(np.arange(30) % 3, 3)
    held = HeldOutImages(sure[y], y, np.repeat(np.arange(30), 3))
    found = learn_pooling(held, [f"{i // 3}" for i in range(90)], np.full(3, 1 / 3))
    pooled = found.pool(sure[[0, 0, 0]], np.zeros(3, dtype=np.int64), np.full(3, 1 / 3))
    assert pooled.max() < 1 - 1 / 300


@pytest.mark.parametrize("subjects", [None, [None] * 30, [f"plant {i}" for i in range(30)]])
def test_nothing_is_learned_without_subjects_of_several_images(subjects):
    held, _ = images(10)
    found = learn_pooling(held, subjects, PRIOR)
    assert found == SubjectPooling()
    assert not found.learned


def test_few_subjects_are_too_few_and_the_note_says_so():
    held, subjects = images(12)
    found = learn_pooling(held, subjects, PRIOR)
    assert (found.rule, found.learned) == ("mean", False)
    assert "4 subjects of the rarest label" in found.note


def test_few_groups_are_too_few():
    held, subjects = images(60)
    found = learn_pooling(held._replace(groups=held.groups // 4), subjects, PRIOR)
    assert not found.learned
    assert "15 groups" in found.note


def test_a_subject_with_two_labels_is_left_out_and_counted():
    held, subjects = images(60)
    labels = held.labels.copy()
    labels[0] = (labels[0] + 1) % 3
    found = learn_pooling(held._replace(labels=labels), subjects, PRIOR)
    assert found.held_out.subject[:3] == (-1, -1, -1)
    assert "1 subjects with several labels were left out" in found.note


def test_strengths_come_from_folds_without_the_group():
    held, subjects = images(40, shared=0.5)
    found = learn_pooling(held, subjects, np.full(3, 1 / 3))
    of_group = {}
    for group, rho in zip(found.held_out.group, found.held_out.rho, strict=True):
        of_group.setdefault(group, set()).add(rho)
    assert all(len(rhos) == 1 for rhos in of_group.values())


def test_rows_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="differ in number"):
        SubjectRows(subject=(0, 0), group=(0,), label=(0, 0), rho=(1.0, 1.0))


def case(i, **fields):
    return Case(id=f"{i:064x}", source=f"{i}.jpg", **fields)


def test_groups_hold_whole_subjects():
    cases = [
        case(1, group="day 1", subject="plant 1"),
        case(2, group="day 2", subject="plant 1"),
        case(3, group="day 2", subject="plant 2"),
        case(4, group="day 3"),
        case(5, subject="plant 3"),
        case(6, subject="plant 1"),
        case(7),
    ]
    assert [one.group for one in whole_groups(cases)] == ["day 1", "day 1", "day 1", "day 3", "plant 3", "day 1", None]


def test_cases_without_subjects_stay_as_they_are():
    cases = [case(1, group="a"), case(2)]
    assert whole_groups(cases) == cases
