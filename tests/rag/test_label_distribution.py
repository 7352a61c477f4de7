"""Hand-worked numbers for what similar cases imply."""

import numpy as np
import pytest
from rag_support import units

from doubleread.core.errors import NotFitted
from doubleread.rag.nearest_cases import (
    NeighbourModel,
    Weighting,
    class_scores,
    distribution,
    fit_temperature,
    hubness,
    mean_of_top,
    vote,
)

GONE = -np.inf


def test_mean_of_top_counts_what_there_is():
    rows = np.array([[0.9, 0.5, 0.1], [0.4, GONE, 0.2], [GONE, GONE, GONE]])
    assert mean_of_top(rows, 2) == pytest.approx([0.7, 0.3, GONE])
    assert mean_of_top(rows, 9) == pytest.approx([0.5, 0.3, GONE])
    assert mean_of_top(np.zeros((2, 0)), 3) == pytest.approx([GONE, GONE])
    assert hubness(rows, 1) == pytest.approx([0.9, 0.4, 0.0])


def test_class_scores_are_balanced_and_hub_corrected():
    similarities = np.array([[0.8, 0.6, 0.4, 0.7]])
    hubs, labels = np.array([0.5, 0.5, 0.5, 0.1]), np.array([0, 0, 0, 1])
    # class 0: mean(1.6, 1.2) - 0.5 = 0.9; class 1: 1.4 - 0.1 = 1.3; class 2 has no case
    assert class_scores(similarities, hubs, labels, 3, top=2)[0] == pytest.approx([0.9, 1.3, GONE])


def test_distribution_is_a_softmax():
    assert distribution(np.array([[0.0, np.log(3)]]), 1.0)[0] == pytest.approx([0.25, 0.75])
    assert distribution(np.array([[0.0, np.log(3) / 2]]), 0.5)[0] == pytest.approx([0.25, 0.75])


def test_a_class_without_cases_is_as_likely_as_the_least_likely():
    assert distribution(np.array([[0.0, np.log(2), GONE]]), 1.0)[0] == pytest.approx([0.25, 0.5, 0.25])
    assert distribution(np.full((1, 4), GONE), 1.0)[0] == pytest.approx(np.full(4, 0.25))


def test_vote_weighs_by_similarity_and_adds_one_even_vote():
    shares = vote(np.array([0.5, 0.5, 0.5]), np.array([0, 0, 1]), 2, 0.1)
    assert shares == pytest.approx([(2 + 0.5) / 4, (1 + 0.5) / 4])
    assert vote(np.zeros(0), np.zeros(0, int), 4, 0.1) == pytest.approx(np.full(4, 0.25))


def test_the_temperature_of_many_cases_is_recovered():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4000, 3))
    shares = distribution(scores, 0.4)
    labels = np.array([rng.choice(3, p=row) for row in shares])
    assert fit_temperature(scores, labels) == pytest.approx(0.4, rel=0.1)


def test_a_few_easy_cases_do_not_make_certainty():
    scores = np.tile([1.0, 0.0], (4, 1))
    temperature = fit_temperature(scores, np.zeros(4, int))
    assert distribution(scores[:1], temperature)[0, 0] < 0.999


def test_no_held_out_case_leaves_the_prior():
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, int)) > 0


def clusters(n=60, classes=3, noise=0.25, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    rows = np.eye(classes, 16)[labels] + rng.normal(size=(n, 16)) * noise
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def test_the_model_finds_the_class():
    rows, labels = clusters()
    model = NeighbourModel().fit(rows, labels, [None] * 60, 3)
    queries, truth = clusters(seed=1)
    shares = np.stack([model.distribution(query) for query in queries])
    assert shares.sum(axis=1) == pytest.approx(np.ones(60))
    assert (shares.argmax(axis=1) == truth).mean() > 0.9
    assert model.weighting.temperature > 0


def test_a_class_with_few_cases_is_not_outvoted():
    rows, labels = clusters(300, 2)
    few = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:5]])
    model = NeighbourModel().fit(rows[few], labels[few], [None] * len(few), 2)
    queries, truth = clusters(200, 2, seed=1)
    right = np.array([model.distribution(query).argmax() for query in queries]) == truth
    assert right[truth == 1].mean() > 0.85


def test_excluded_rows_do_not_speak():
    rows, labels = clusters()
    model = NeighbourModel().fit(rows, labels, [None] * 60, 3)
    exclude = labels == 0
    assert model.distribution(rows[0]).argmax() == 0
    others = model.distribution(rows[0], exclude)
    assert others[0] == pytest.approx(others.min())


def test_groups_are_held_out_together():
    """Copies of a case must not vouch for each other: random labels, every case twice."""
    rows = np.repeat(units(40, 16), 2, axis=0)
    labels = np.repeat(np.random.default_rng(0).integers(0, 2, 40), 2)
    groups = [str(i // 2) for i in range(80)]
    honest = NeighbourModel().fit(rows, labels, groups, 2).weighting.temperature
    fooled = NeighbourModel().fit(rows, labels, [None] * 80, 2).weighting.temperature
    assert honest > 1.5 * fooled


def test_parameters_travel_as_json_and_a_given_temperature_is_kept():
    rows, labels = clusters()
    fitted = NeighbourModel().fit(rows, labels, [None] * 60, 3)
    weighting = Weighting.model_validate_json(fitted.weighting.model_dump_json())
    again = NeighbourModel(weighting).fit(rows, labels, [None] * 60, 3)
    assert again.weighting == fitted.weighting
    assert np.array_equal(again.distribution(rows[0]), fitted.distribution(rows[0]))


def test_an_unfitted_model_says_so():
    with pytest.raises(NotFitted):
        NeighbourModel().distribution(np.ones(4))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_case_is_no_error(n):
    rows, labels = clusters(max(n, 1))
    model = NeighbourModel().fit(rows[:n].reshape(n, 16), labels[:n], [None] * n, 3)
    assert model.distribution(rows[0]).sum() == pytest.approx(1)
