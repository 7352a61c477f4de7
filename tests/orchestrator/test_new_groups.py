"""Promises for cases of groups that have never been seen, over hundreds of draws of whole groups."""

import numpy as np
import pytest
from kit import TASK

from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.conformal.exchangeable import Units, one_of_each, promised_for, units_needed
from doubleread.orchestrator.conformal.selective_risk import SelectiveRisk
from doubleread.orchestrator.gates.gate import Commitment
from doubleread.orchestrator.ood.familiarity import Familiarity

DRAWS, GROUPS = 300, 25


def draw(rng, groups=GROUPS, spread=1.5):
    """Posteriors on two labels, whole groups of unequal size: in some groups the panel is far too sure."""
    sizes = rng.integers(2, 30, groups)
    codes = np.repeat(np.arange(groups), sizes)
    y = rng.integers(2, size=len(codes))
    skill = rng.normal(1.5, spread, groups)[codes]
    rare = 1 / (1 + np.exp(-2 * (skill * (2 * y - 1) + rng.normal(size=len(codes)))))
    return np.column_stack([1 - rare, rare]), y, codes.astype(str)


def covered(sets, P, y, codes):
    """Share of cases whose set holds the label, every group counting the same."""
    inside = sets.inside(sets.p_values(P))[np.arange(len(y)), y]
    return np.mean([inside[codes == group].mean() for group in np.unique(codes)])


def test_units_weigh_groups_alike_and_leave_one_share_to_the_new_group():
    units = Units.of(["a", "a", "b", None], 4)
    assert units.weights.tolist() == [1 / 8, 1 / 8, 1 / 4, 1 / 4]
    assert (units.own, units.count, units.grouped) == (0.25, 3, True)
    assert units.weights.sum() + units.own == pytest.approx(1)
    assert not Units.of(None, 4).grouped
    assert sorted(one_of_each(["a", "a", "b", None], 4).tolist())[1:] == [2, 3]


def test_the_promise_names_whom_it_is_for():
    assert promised_for(["a", "a", "b"], 3) == "for new groups"
    assert promised_for(["a", "b", "c"], 3) == "for new cases"
    assert "without groups" in promised_for(None, 3)


def test_sets_cover_new_groups():
    rng = np.random.default_rng(0)
    found, blind = [], []
    for _ in range(DRAWS):
        (P, y, codes), fresh = draw(rng), draw(rng)
        found.append(covered(ConformalSets.fit(P, y, groups=codes), *fresh))
        blind.append(covered(ConformalSets.fit(P, y), *fresh))
    error = np.std(found) / np.sqrt(DRAWS)
    assert np.mean(found) > 0.9 - 2 * error
    # the negative control: counting cases as if each stood alone, large groups outvote small ones
    assert np.mean(found) > np.mean(blind)


def test_cases_counted_one_by_one_break_the_promise_for_small_calibrations():
    rng = np.random.default_rng(1)
    found, blind = [], []
    for _ in range(DRAWS):
        (P, y, codes), fresh = draw(rng, groups=10, spread=2.0), draw(rng, groups=10, spread=2.0)
        found.append(covered(ConformalSets.fit(P, y, groups=codes), *fresh))
        blind.append(covered(ConformalSets.fit(P, y), *fresh))
    error = np.std(blind) / np.sqrt(DRAWS)
    assert np.mean(found) >= 0.9
    assert np.mean(blind) < 0.9 - 2 * error


def test_too_few_groups_promise_nothing_however_many_cases_they_have():
    P, y, codes = draw(np.random.default_rng(2), groups=8)
    sets = ConformalSets.fit(P, y, groups=codes)
    assert sets.kind == "everything"
    assert "8 groups held out cannot promise 90% (9 groups are needed): the sets contain every label" in sets.warning
    assert sets.p_values(P).min() == 1


def test_a_panel_that_is_right_more_often_than_its_sets_promise_says_so():
    y = np.arange(200) % 2
    P = np.where(np.eye(2)[y] == 1, 0.9, 0.1) + np.random.default_rng(3).uniform(-0.05, 0.05, (200, 1)) * [[1, -1]]
    assert "90% sets tell little" in ConformalSets.fit(P, y).warning
    assert "trust.coverage = 0.9" in ConformalSets.fit(P, y).warning
    assert "sets that tell more need 19 calibration cases or more" in ConformalSets.fit(P[:9], y[:9]).warning


def alarms(rng, groups, rate):
    """The share of alarms in new groups, each counting the same: with the groups known, and without."""

    def some(groups):
        codes = np.repeat(np.arange(groups), rng.integers(2, 12, groups))
        near = rng.normal(0.8, 0.05, groups)[codes] + rng.normal(0, 0.02, len(codes))
        said = np.full((len(codes), 1, 2), 0.5)
        return near, said, codes.astype(str)

    (near, said, codes), (other, theirs, new) = some(groups), some(groups)
    found = []
    for known in (codes, None):
        raised = Familiarity.fit(near, said, rate, known).alarms(other, theirs)
        found.append(np.mean([raised[new == group].mean() for group in np.unique(new)]))
    return found


def test_alarms_of_new_groups_are_as_rare_as_promised():
    rng = np.random.default_rng(4)
    kept, blind = np.array([alarms(rng, 30, 0.05) for _ in range(DRAWS)]).T
    assert kept.mean() <= 0.05 + 2 * kept.std() / np.sqrt(DRAWS)
    assert blind.mean() > kept.mean()


def test_counting_cases_breaks_the_promise_of_alarms():
    rng = np.random.default_rng(5)
    kept, blind = np.array([alarms(rng, 12, 0.08) for _ in range(DRAWS)]).T
    assert kept.mean() <= 0.08 + 2 * kept.std() / np.sqrt(DRAWS)
    assert blind.mean() > 0.08 + 2 * blind.std() / np.sqrt(DRAWS)


def test_with_few_groups_only_what_is_beyond_every_held_out_case_raises_an_alarm():
    rng = np.random.default_rng(6)
    near, codes = rng.normal(0.8, 0.05, 90), np.repeat(np.arange(9), 10).astype(str)
    panel = Familiarity.fit(near, np.full((90, 1, 2), 0.5), 0.02, codes)
    assert "9 groups cannot promise that at most 2% of the cases of a new group raise the alarm" in panel.note
    raised = panel.alarms(np.array([near.min() - 0.05, near.min() + 1e-6]), np.full((2, 1, 2), 0.5))
    assert raised.tolist() == [True, False]


def test_committed_risk_is_kept_for_new_groups():
    rng = np.random.default_rng(7)
    broken = {"groups": 0, "cases": 0}
    for _ in range(DRAWS):
        (P, y, codes), (Q, truth, new) = draw(rng, groups=80), draw(rng, groups=80)
        for name, known in (("groups", codes), ("cases", None)):
            rule = SelectiveRisk.fit(P.max(axis=1), P.argmax(axis=1) == y, 0.25, 0.1, groups=known)
            sure, wrong = rule.commits(Q.max(axis=1)), Q.argmax(axis=1) != truth
            share = [[(sure & wrong)[new == g].mean(), sure[new == g].mean()] for g in np.unique(new)]
            mistaken, committed = np.mean(share, axis=0)
            broken[name] += mistaken > 0.25 * committed
    # a new sample of 80 groups has its own noise, so a little more than a tenth may look broken
    assert broken["groups"] / DRAWS < 0.2
    assert broken["cases"] > broken["groups"]


def test_commitments_that_did_not_pay_in_held_out_groups_are_limited():
    """Two groups: where the panel is sure it is right, where it is fairly sure it is right in one group only."""
    sure = np.tile([0.02, 0.96, 0.02], (40, 1))
    fair = np.tile([0.05, 0.85, 0.10], (120, 1))
    P, groups = np.vstack([sure, fair]), np.array(["a", "b"] * 80)
    y = np.where((np.arange(160) >= 40) & (groups == "b"), 2, 1)
    found = Commitment.fit(TASK, P, y, groups)
    assert found.limit < 0.15
    assert "commitments are limited to an expected cost of" in found.note
    alone = Commitment.fit(TASK, P, np.ones(160, int), groups)
    assert (alone.limit, alone.note) == (TASK.costs.referral, "")
    nothing = Commitment.fit(TASK, P, np.full(160, 2), groups)
    assert nothing.limit < 0
    assert "the panel refers every image" in nothing.note


def test_how_many_groups_a_promise_needs():
    assert [units_needed(level) for level in (0.9, 0.95, 0.98)] == [9, 19, 49]


def test_with_a_middling_number_of_groups_the_level_is_judged_by_leaving_them_out():
    rng = np.random.default_rng(8)
    found, beyond = [], []
    for _ in range(100):
        codes = np.repeat(np.arange(30), 10)
        near, other = (rng.normal(0.8, 0.03, 30)[codes] + rng.normal(0, 0.03, 300) for _ in range(2))
        said = np.full((300, 1, 2), 0.5)
        panel = Familiarity.fit(near, said, 0.02, codes.astype(str))
        found.append(panel.alarms(other, said).mean())
        beyond.append(panel.model_copy(update={"level": 0.0}).alarms(other, said).mean())
    assert "judged by leaving out one group at a time" in panel.note
    assert np.mean(found) <= 0.02 + 2 * np.std(found) / 10
    assert np.mean(found) > np.mean(beyond)  # it notices more than what lies beyond everything
    assert Familiarity.model_validate_json(panel.model_dump_json()).level == panel.level
