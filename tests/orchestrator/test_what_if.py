"""Other costs and prevalences: by hand, and turning points against what the same rule says on either side of them."""

from dataclasses import dataclass

import numpy as np
import pytest
from kit import case_of

from doubleread.core.errors import TaskError
from doubleread.core.task import Costs, Label, Task
from doubleread.core.trust import TrustProfile
from doubleread.core.verdict import Decision, Verdict
from doubleread.orchestrator.course.policy import decide
from doubleread.orchestrator.explanation._turning_points import turning_points
from doubleread.orchestrator.explanation.counterfactual import what_if
from doubleread.orchestrator.prevalence.prior_shift import prior_in_force, shifted
from doubleread.orchestrator.trust.profile import profile

CELLS = Task(
    id="cells",
    labels=(Label(name="functional"), Label(name="defective")),
    prior={"functional": 0.95, "defective": 0.05},
    costs=Costs(referral=0.1, matrix={"defective": {"functional": 5.0}}),
)
LEAVES = Task.of("leaves", ["healthy", "rust", "scab"])


@dataclass
class Desk:
    """As much of an arbiter as is asked for: its task, and perhaps the profile of its panel."""

    task: Task
    panel: TrustProfile | None = None

    def profile(self, agent, round_=1):
        return self.panel if agent == "panel" else None


def verdict_of(task, *shares, decision=None):
    p = np.array(shares)
    posterior = dict(zip(task.names, p.tolist(), strict=True)) if shares else {}
    refer = Decision(action="refer", reasons=("no agent gave a usable answer",), expected_cost=task.costs.referral)
    return Verdict(
        case=case_of("x"),
        task=task.id,
        posterior=posterior,
        decision=decision or (decide(task, p) if shares else refer),
    )


def points(task, *shares):
    return turning_points(verdict_of(task, *shares), Desk(task))


def test_a_commitment_by_hand():
    # functional costs 0.01 * 5 = 0.05, a referral 0.1
    referral, error, functional, defective = points(CELLS, 0.99, 0.01)
    assert referral.line == "the panel would refer if a referral cost less than 0.05 (now 0.1)"
    # 0.1 / 0.01
    assert error.line == "the panel would refer if calling defective functional cost more than 10 (now 5)"
    # 5 w = 0.1 at w = 0.02: odds 2/98 against 1/99, by the prior odds 5/95: 0.10634, a share of 0.09612
    odds = (2 / 98) / (1 / 99) * (5 / 95)
    assert defective.at == pytest.approx(odds / (1 + odds))
    assert defective.line == "the panel would refer if defective were more than 9.6% of all images (now 5.0%)"
    assert functional.at == pytest.approx(1 / (1 + odds))
    assert functional.line == "the panel would refer if functional were less than 90.4% of all images (now 95.0%)"


def test_a_referral_by_hand():
    # rust costs 0.4, a referral 0.2; of it scab is 0.3, and (0.2 - 0.1) / 0.3 would be bearable
    referral, error, *prevalence = points(LEAVES, 0.1, 0.6, 0.3)
    assert referral.line == "the panel would commit to rust if a referral cost more than 0.4 (now 0.2)"
    assert error.at == pytest.approx(1 / 3)
    assert error.line == "the panel would commit to rust if calling scab rust cost less than 0.333 (now 1)"
    # rust: odds 1.5, prior odds 0.5; healthy and scab stay 1 to 3. At 0.8 it commits: odds 4, a prevalence of 4/7.
    # At 3/7 scab is as likely: odds 0.75, prior odds 0.25.
    # scab: odds 3/7. At 6/13 rust is as likely: odds 6/7, prior odds 1. At 1/15 rust has 0.8: 1/14, prior odds 1/12.
    assert [(one.label, one.at) for one in prevalence] == [
        ("rust", pytest.approx(0.2)),
        ("rust", pytest.approx(4 / 7)),
        ("scab", pytest.approx(1 / 13)),
        ("scab", pytest.approx(0.5)),
    ]
    assert [one.line for one in prevalence] == [
        "the panel would refer (most likely: scab) if rust were less than 20.0% of all images (now 33.3%)",
        "the panel would commit to rust if rust were more than 57.1% of all images (now 33.3%)",
        "the panel would commit to rust if scab were less than 7.7% of all images (now 33.3%)",
        "the panel would refer (most likely: scab) if scab were more than 50.0% of all images (now 33.3%)",
    ]


def test_a_posterior_so_sure_that_no_prevalence_changes_it():
    *_, rust, healthy = points(LEAVES, 2e-7, 1 - 3e-7, 1e-7)
    assert (rust.at, healthy.at) == (None, None)
    assert rust.line == "no prevalence of rust from 0.1% to 99.9% would change the verdict (now 33.3%)"


def test_an_error_that_could_cost_nothing_and_yet_not_be_risked():
    error = points(LEAVES, 0.3, 0.4, 0.3)[1]
    assert error.at is None
    assert error.line == "the panel would refer even if calling healthy rust cost nothing"


def test_a_commitment_against_the_likeliest_label():
    # functional is likelier, but costs 0.6 * 0 + 0.4 * 5 = 2; defective costs 0.6, a referral 1.
    task = CELLS.model_copy(update={"costs": Costs(referral=1, matrix={"defective": {"functional": 5.0}})})
    referral, error, functional, *_ = points(task, 0.6, 0.4)
    assert referral.line == "the panel would refer if a referral cost less than 0.6 (now 1)"
    assert error.line == "the panel would refer if calling functional defective cost more than 1.67 (now 1)"
    # At even odds the likeliest label is the committed one; the label of the verdict changes, the commitment does not.
    assert functional.at == pytest.approx((1 / 1.5 * 19) / (1 + 1 / 1.5 * 19))
    assert functional.line.startswith(
        "the panel would commit to defective if functional were less than 92.7% of all images"
    )


def test_nobody_spoke():
    silent = verdict_of(LEAVES)
    assert turning_points(silent, Desk(LEAVES)) == ()
    found = what_if(silent, Desk(LEAVES), costs=Costs(referral=0.7), prevalence={"rust": 0.5})
    assert found.posterior == {}
    assert found.label is None
    assert (found.decision.action, found.decision.expected_cost, found.changes) == ("refer", 0.7, False)


def test_a_verdict_that_cost_did_not_decide_has_no_turning_points():
    alarmed = Decision(action="refer", reasons=("unlike anything seen",), expected_cost=0.2)
    verdict = verdict_of(LEAVES, 0.05, 0.9, 0.05, decision=alarmed)
    assert turning_points(verdict, Desk(LEAVES)) == ()
    reason = "the decision has another reason, which costs do not change"
    assert what_if(verdict, Desk(LEAVES)).warnings == (
        f"by expected cost alone, the panel would commit to rust; {reason}",
    )


def test_what_if_by_hand():
    desk, verdict = Desk(CELLS), verdict_of(CELLS, 0.99, 0.01)
    same = what_if(verdict, desk)
    assert same.posterior == pytest.approx(verdict.posterior)
    assert not same.changes
    assert same.prevalence == pytest.approx(CELLS.prior)
    # Odds of defective 1/99 * (20/80) / (5/95) = 19/396, a probability of 3.8/83: 0.229 for functional.
    common = what_if(verdict, desk, prevalence={"defective": 0.2})
    assert common.posterior["defective"] == pytest.approx(3.8 / 83)
    assert common.decision.action == "refer"
    assert common.changes
    dear = what_if(verdict, desk, costs=Costs(referral=0.1, matrix={"defective": {"functional": 11.0}}))
    assert dear.posterior == pytest.approx(verdict.posterior)
    assert dear.decision.action == "refer"
    both = what_if(verdict, desk, costs=Costs(referral=0.3, matrix={"defective": {"functional": 5.0}}),
                   prevalence={"functional": 0.8, "defective": 0.2})  # fmt: skip
    assert both.decision.label == "functional"
    assert both.decision.expected_cost == pytest.approx(5 * 3.8 / 83)


def test_a_prevalence_of_some_labels_leaves_the_others_in_proportion():
    task = Task(id="t", labels=LEAVES.labels, prior={"healthy": 0.6, "rust": 0.3, "scab": 0.1})
    found = what_if(verdict_of(task, 0.6, 0.3, 0.1), Desk(task), prevalence={"scab": 0.4})
    assert found.prevalence == pytest.approx({"healthy": 0.4, "rust": 0.2, "scab": 0.4})
    # The posterior was the prior: nothing had been learned, and nothing is.
    assert found.posterior == pytest.approx(found.prevalence)


@pytest.mark.parametrize(
    ("prevalence", "says"),
    [
        ({"mildew": 0.1}, "mildew"),
        ({"rust": 0.0}, "between 0 and 1"),
        ({"rust": 0.7, "scab": 0.3}, "less than 1"),
        ({"rust": 0.5, "scab": 0.3, "healthy": 0.3}, "sum to 1.1"),
    ],
)
def test_prevalences_that_cannot_be(prevalence, says):
    with pytest.raises(TaskError, match=says):
        what_if(verdict_of(LEAVES, 0.1, 0.6, 0.3), Desk(LEAVES), prevalence=prevalence)


def test_costs_and_verdicts_of_another_task():
    with pytest.raises(TaskError, match="unknown labels"):
        what_if(verdict_of(LEAVES, 0.1, 0.6, 0.3), Desk(LEAVES), costs=Costs(matrix={"mildew": {"rust": 1}}))
    with pytest.raises(TaskError, match="the verdict has the labels"):
        turning_points(verdict_of(LEAVES, 0.1, 0.6, 0.3), Desk(CELLS))


def test_without_a_stated_prior_the_calibration_cases_give_it():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    rng = np.random.default_rng(0)
    seen = profile("panel", LEAVES, rng.dirichlet(np.ones(3), size=100), y)
    assert prior_in_force(Desk(LEAVES, seen)) == pytest.approx([0.5, 0.3, 0.2])
    assert prior_in_force(Desk(LEAVES)) == pytest.approx([1 / 3] * 3)
    assert prior_in_force(Desk(CELLS, seen)) == pytest.approx([0.95, 0.05])


def test_a_shift_and_back_is_none():
    p, prior, other = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.3, 0.1])
    assert shifted(shifted(p, prior, other), other, prior) == pytest.approx(p)


# Turning points against the rule itself, on either side and all the way there, for tasks of every shape.


def some_tasks():
    rng = np.random.default_rng(5)
    for k in (2, 3, 5) * 8:
        names = [f"l{i}" for i in range(k)]
        prior = dict(zip(names, rng.dirichlet(np.full(k, 3)).tolist(), strict=True))
        matrix = {t: {c: float(rng.uniform(0.2, 4)) for c in names if c != t} for t in names}
        costs = Costs(referral=float(rng.uniform(0.05, 0.8)), matrix=matrix if rng.random() < 0.6 else {})
        task = Task(id="t", labels=tuple(Label(name=name) for name in names), prior=prior, costs=costs)
        yield task, verdict_of(task, *rng.dirichlet(np.full(k, 0.5)))


def moved(verdict, task, point, value):
    """The verdict with that cost or prevalence at ``value``."""
    if point.of == "prevalence":
        return what_if(verdict, Desk(task), prevalence={point.label: value})
    update = {"referral": value}
    if point.of == "error":
        matrix = {t: dict(row) for t, row in task.costs.matrix.items()}
        matrix.setdefault(point.label, {})[point.instead] = value
        update = {"matrix": matrix}
    return what_if(verdict, Desk(task), costs=task.costs.model_copy(update=update))


def test_just_beyond_a_turning_point_the_verdict_is_what_it_says_and_just_before_it_is_not():
    seen = set()
    for task, verdict in some_tasks():
        for point in turning_points(verdict, Desk(task)):
            if point.at is None:
                continue
            step = np.sign(point.at - point.now) * 1e-6 * min(point.at, 1 - point.at if point.at < 1 else point.at)
            beyond = moved(verdict, task, point, point.at + step)
            assert beyond.changes
            assert (beyond.decision.action, beyond.decision.label) == (point.action, point.commits_to)
            assert beyond.label == (point.leading or verdict.label)
            for share in np.linspace(0, 1, 40, endpoint=False):
                assert not moved(verdict, task, point, point.now + share * (point.at - point.now)).changes
            assert not moved(verdict, task, point, point.at - step).changes
            seen.add((point.of, point.action))
    assert len(seen) == 6  # each kind towards committing and towards referring


def test_where_there_is_no_turning_point_nothing_turns():
    silent = 0
    for task, verdict in some_tasks():
        found = [point for point in turning_points(verdict, Desk(task)) if point.of == "prevalence"]
        for point in found:
            towards = [0.001, 0.999] if point.at is None else []
            same = [other.at for other in found if other.label == point.label]
            if point.at is not None and len(same) == 1:
                towards = [0.001 if point.at > point.now else 0.999]
            for end in towards:
                assert not any(
                    moved(verdict, task, point, value).changes for value in np.linspace(point.now, end, 200)[1:]
                )
                silent += 1
    assert silent > 10
