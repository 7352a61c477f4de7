"""What a run comes to, worked out by hand and against the profiles of single readers."""

from math import log

import numpy as np
import pytest
from measures_kit import columns_of, of_case, rows_of, simulated, trust, unread
from verdicts_kit import AB, verdict

from doubleread.agents.wire.budget import Spending
from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Abstention, Usage
from doubleread.core.task import Task
from doubleread.core.trust import PanelMember
from doubleread.evals.metrics.calculation import evaluate, evaluate_verdicts
from doubleread.evals.metrics.evaluation import Evaluation, SilentAgent
from doubleread.evals.metrics.run_columns import read_columns
from doubleread.orchestrator.metrics import wilson
from doubleread.orchestrator.trust.profile import profile

VERDICTS = [
    verdict("1", "a", 0.9, agent=0.8, sure=True),
    verdict("2", "a", 0.8, agent=0.4, then=0.7),  # the agent was helped
    verdict("3", "b", 0.3, agent=0.2, sure=True),
    verdict("4", "b", 0.6, agent=0.3, then=0.6, commit=False),  # harmed, and referred
    verdict("5", "b", 0.7, agent=0.6, then=0.7, sure=True),  # wrong before and after; wrongly committed
    verdict("6", "a", 0.6, sure=False),  # the agent was silent
]


def evaluated(verdicts, **options):
    return evaluate(columns_of(verdicts, by=options.pop("by", ())), name="leaves", **{"draws": 200, **options})


@pytest.fixture(scope="module")
def found():
    return evaluated(VERDICTS)


def test_the_panel_by_hand(found):
    p = found.panel
    assert (p.n, p.abstained, found.n, found.labelled) == (6, 0, 6, 6)
    assert p.accuracy.value == pytest.approx(4 / 6)  # 4 and 5 are wrong
    assert p.balanced_accuracy.value == pytest.approx((1 + 1 / 3) / 2)
    assert p.macro_f1.value == pytest.approx((2 * 3 / (3 + 5) + 2 * 1 / (3 + 1)) / 2)
    assert p.confusion == ((3, 0), (2, 1))
    a, b = p.labels
    assert (a.support, a.said, a.precision.value, a.recall.value) == (3, 5, pytest.approx(3 / 5), 1)
    assert (b.support, b.said, b.precision.value, b.recall.value) == (3, 1, 1, pytest.approx(1 / 3))
    assert a.recall.low == wilson(3, 3).low
    assert p.nll.value == pytest.approx(-np.mean([log(x) for x in (0.9, 0.8, 0.7, 0.4, 0.3, 0.6)]))
    assert p.brier.value == pytest.approx(np.mean([2 * (1 - x) ** 2 for x in (0.9, 0.8, 0.7, 0.4, 0.3, 0.6)]))
    assert p.ocr.value == 0


def test_the_agent_is_judged_where_it_spoke(found):
    (x,) = found.agents
    assert (x.reader, x.n, x.abstained) == ("x", 5, 1)
    assert x.accuracy.value == pytest.approx(3 / 5)  # 2 and 5 are wrong at first
    assert found.readers == (found.panel, x)


def test_an_agent_that_never_answered_stands_there_with_its_most_frequent_cause():
    mute = [verdict(str(i), "a", 0.9) for i in range(4)]
    busy = Abstention(agent="x", cause="rate-limit")
    found = evaluated([mute[0].model_copy(update={"abstentions": (busy,)}), *mute[1:]])
    assert found.agents == ()
    assert found.silent == (SilentAgent(reader="x", abstained=4, why="no answer: timeout on 3 of 4 images"),)
    members = (PanelMember(agent="deaf", n=0, cases=9, unused="so"), PanelMember(agent="spared", n=9, cases=9))
    more = evaluated(mute, members=members).silent
    assert [(one.reader, one.why) for one in more[:2]] == [
        ("deaf", "not used: so"),
        ("spared", "it was asked about no labelled image"),
    ]
    assert more[2].reader == "x"
    unlabelled = [verdict(str(i), None, 0.9) for i in range(4)]
    assert evaluated(unlabelled, members=members).silent == ()


def test_what_agents_took_is_added_up_and_the_cache_took_nothing():
    used = Usage(calls=2, repeated=1, input_tokens=10, cost_usd=0.5)
    paid, kept, failed = (verdict(str(i), "a", 0.9, agent=0.8) for i in range(3))
    paid, kept = (
        v.model_copy(update={"opinions": (v.opinions[0].model_copy(update={"usage": used, "cached": cached}),)})
        for v, cached in ((paid, False), (kept, True))
    )
    mute = Abstention(agent="x", cause="timeout", usage=Usage(calls=1))
    failed = failed.model_copy(update={"opinions": (), "abstentions": (mute,)})
    found = evaluated([paid, kept, failed]).spending
    assert found == {"x": Spending(calls=3, cached=1, repeated=1, input_tokens=10, cost_usd=0.5)}
    assert evaluated(VERDICTS).spending == {}


def test_decisions_and_sets(found):
    d, s = found.decisions, found.sets
    assert (d.committed, d.referred, d.committed_n) == (5, 1, 5)
    assert d.committed_accuracy.value == pytest.approx(4 / 5)
    assert d.commitment.value == pytest.approx(5 / 6)
    assert s.promised == 0.9
    assert s.coverage.value == pytest.approx(5 / 6)  # 5 has {a} for b
    assert [(one.label, one.n, one.coverage.value) for one in s.labels] == [("a", 3, 1), ("b", 3, pytest.approx(2 / 3))]
    assert s.worst.label == "b"
    assert s.size.value == pytest.approx(9 / 6)
    assert s.sizes == (0, 3, 3)


def test_what_the_second_look_did(found):
    looks = found.second_looks
    (x,) = looks.agents
    assert looks.cases == 3
    assert (x.agent, x.looked, x.helped, x.harmed, x.gain.value) == ("x", 3, 1, 1, 0)
    panel = looks.panel  # before: 0.5 and 0.5, which is the first label; after: right, wrong, wrong
    assert (panel.looked, panel.helped, panel.harmed) == (3, 0, 0)
    changed = VERDICTS[1].model_copy(
        update={"second_look": VERDICTS[1].second_look.model_copy(update={"before": {"a": 0.2, "b": 0.8}})}
    )
    assert evaluated([changed]).second_looks.panel.model_dump(exclude={"gain"}) == {
        "agent": "panel",
        "looked": 1,
        "helped": 1,
        "harmed": 0,
    }


def test_money_and_time():
    some = [
        v.model_copy(update={"seconds": s, "cost_usd": s / 10})
        for v, s in zip(VERDICTS, (1, 2, 3, 4, 5, 60), strict=True)
    ]
    found = evaluated(some)
    assert found.money.total == pytest.approx(7.5)
    assert found.money.each.value == pytest.approx(1.25)
    assert found.money.each.low < 1.25 < found.money.each.high
    assert [getattr(found.seconds, name).value for name in ("p50", "p90", "p95", "p99")] == [3, 60, 60, 60]
    assert found.seconds.total == 75


@pytest.mark.parametrize("groups", [None, 12])
def test_the_figures_are_those_of_a_trust_profile(groups):
    verdicts = simulated(80, groups=groups)
    found = evaluated(verdicts, draws=1000).panel
    P = np.array([[v.posterior["a"], v.posterior["b"]] for v in verdicts])
    y = np.array([AB.index(v.case.label) for v in verdicts])
    slow = profile("panel", AB, P, y, [v.case.group or v.case.id for v in verdicts])
    for name in ("accuracy", "nll", "brier"):
        assert getattr(found, name).model_dump() == pytest.approx(getattr(slow, name).model_dump())
    for name in ("value", "low", "high"):
        assert getattr(found.ece, name) == pytest.approx(getattr(slow.ece, name))
    assert found.classwise_ece.value == pytest.approx(slow.classwise_ece)
    assert found.ocr.value == pytest.approx(slow.ocr)
    assert found.ccc.value == pytest.approx(slow.ccc)
    assert found.confusion == slow.confusion
    assert found.reliability == slow.reliability
    assert found.ccc.low < found.ccc.value < found.ccc.high


def test_figures_of_labels_agree_with_scikit_learn():
    from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

    verdicts = simulated(60, seed=3)
    found = evaluated(verdicts).panel
    truth = [v.case.label for v in verdicts]
    said = [v.label for v in verdicts]
    precision, recall, f1, support = precision_recall_fscore_support(truth, said, labels=["a", "b"])
    assert [one.precision.value for one in found.labels] == pytest.approx(precision.tolist())
    assert [one.recall.value for one in found.labels] == pytest.approx(recall.tolist())
    assert [one.f1.value for one in found.labels] == pytest.approx(f1.tolist())
    assert [one.support for one in found.labels] == support.tolist()
    assert found.macro_f1.value == pytest.approx(f1.mean())
    assert found.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(truth, said))


def test_a_panel_that_is_always_right_still_has_doubt():
    right = [verdict(str(i), "a" if i % 2 else "b", 0.9 if i % 2 else 0.1, agent=0.5) for i in range(12)]
    p = evaluated(right).panel
    assert p.accuracy.low == wilson(12, 12).low
    assert p.labels[0].f1.low == pytest.approx(2 * wilson(6, 6).low / (1 + wilson(6, 6).low))
    assert p.balanced_accuracy.low == pytest.approx(wilson(6, 6).low)
    assert p.macro_f1.low == pytest.approx(p.labels[0].f1.low)
    assert (p.ccc, p.failure_auroc) == (None, None)
    assert p.ocr.high == pytest.approx(1 - wilson(12, 12).low)


def test_a_label_that_no_case_has_is_no_figure():
    three = Task.of("abc", ["a", "b", "c"])
    wide = [
        v.model_copy(update={"posterior": {**v.posterior, "c": 0.0}, "calibrated": {}, "opinions": ()})
        for v in VERDICTS
    ]
    found = evaluate(read_columns(iter(rows_of(wide)), three, ()), name="leaves", draws=50)
    c = found.panel.labels[2]
    assert (c.support, c.said, c.precision, c.recall, c.f1) == (0, 0, None, None, None)
    assert found.panel.balanced_accuracy.value == pytest.approx((1 + 1 / 3) / 2)
    assert [one.label for one in found.sets.labels] == ["a", "b"]
    assert found.agents == ()


def test_cases_without_a_label_count_where_labels_are_not_needed():
    some = [*VERDICTS, verdict("7", None, 0.9, agent=0.9), verdict("8", "moss", 0.9, agent=0.9)]
    found = evaluate(read_columns(iter([*rows_of(some), unread(9)]), AB, trust()), name="leaves", draws=50)
    assert (found.n, found.labelled, found.unlabelled, found.unread) == (8, 6, 2, 1)
    assert found.unknown_labels == {"moss": 1}
    assert found.panel.n == 6
    assert (found.decisions.committed, found.decisions.committed_n) == (7, 5)
    assert found.sets.sizes == (0, 3, 5)
    assert found.warnings[:3] == (
        "1 case could not be read: corrupt (1)",
        "cases with labels that the task does not have were left out: moss (1)",
        "1 case without a true label were left out",
    )


def test_without_any_label_there_is_still_what_needs_none():
    found = evaluated([verdict(str(i), None, 0.9, agent=0.9) for i in range(4)])
    assert (found.panel, found.agents, found.sets.coverage, found.decisions.committed_accuracy) == (
        None,
        (),
        None,
        None,
    )
    assert found.decisions.committed == 4
    assert found.seconds.p50.value == 0.5


def test_silence_of_the_panel_is_no_error():
    silent = VERDICTS[0].model_copy(update={"posterior": {}, "prediction_set": ()})
    found = evaluated([silent, *VERDICTS[1:]])
    assert (found.panel.n, found.panel.abstained) == (5, 1)
    assert found.panel.accuracy.value == pytest.approx(3 / 5)
    assert found.sets.sizes == (1, 2, 3)
    assert "no agent answered for 1 case: accuracy and calibration do not count them" in found.warnings


def test_leaked_cases_are_counted_and_taken_out():
    copy = Neighbour(case_id="9" * 64, label="a", similarity=0.99)
    seen = {"evidence": Evidence(neighbours=(), near_copies=(copy,))}
    found = evaluated([VERDICTS[0].model_copy(update=seen), *VERDICTS[1:]])
    assert found.leaks.cases == 1
    assert found.leaks.accuracy_without.value == pytest.approx(3 / 5)
    assert evaluated(VERDICTS).leaks.accuracy_without is None
    assert evaluated([v.model_copy(update=seen) for v in VERDICTS]).leaks.accuracy_without is None


def test_subgroups_and_small_ones():
    north = [of_case(v, metadata={"site": "north"}, split="test") for v in simulated(30, seed=1)]
    south = [of_case(v, metadata={"site": "south"}, split="extra") for v in VERDICTS]
    found = evaluated([*south, *north, verdict("z", "a", 0.9)], by=["site"])
    shown = [(one.column, one.value, one.n, one.small) for one in found.subgroups]
    assert shown == [
        ("site", "north", 30, False),
        ("site", "south", 6, True),
        ("site", "", 1, True),
        ("split", "test", 30, False),
        ("split", "extra", 6, True),
        ("split", "", 1, True),
    ]
    one = found.subgroups[1]
    assert one.accuracy.value == pytest.approx(4 / 6)
    assert one.nll.value == pytest.approx(found.subgroups[4].nll.value)
    alone = evaluated(simulated(30, seed=1)).panel
    assert found.subgroups[0].ece.value == pytest.approx(alone.ece.value)
    assert found.subgroups[2].accuracy.low == wilson(1, 1).low


def test_a_column_of_a_thousand_values_makes_no_subgroups():
    many = [of_case(v, metadata={"shot": str(i)}) for i, v in enumerate(simulated(101))]
    with pytest.raises(DataError, match="column 'shot' has 101 different values, too many for subgroups"):
        evaluated(many, by=["shot"])


def test_few_groups_are_warned_of():
    assert any("only 3 groups" in one for one in evaluated(simulated(30, groups=3)).warnings)


def test_the_same_seed_gives_the_same_figures_and_the_record_survives_json(found):
    assert evaluated(VERDICTS) == found
    assert evaluated(VERDICTS, seed=1) != found
    assert Evaluation.model_validate_json(found.model_dump_json()) == found


def test_long_curves_are_thinned_and_keep_their_ends():
    curve = evaluated(simulated(900), draws=2).panel.risk_coverage
    assert len(curve.coverage) == 400
    assert (curve.coverage[0], curve.coverage[-1]) == (pytest.approx(1 / 900), 1)


def test_a_run_without_a_verdict_comes_to_nothing():
    with pytest.raises(
        DataError, match=r"the run on 'leaves' has no verdict to evaluate \(1 cases could not be read\)"
    ):
        evaluate(read_columns(iter([unread(0)]), AB, trust()), name="leaves")


def test_the_advantage_is_above_0_where_the_panel_is_better():
    surer = [verdict("1", "a", 0.9, agent=0.6), verdict("2", "b", 0.2, agent=0.6)]
    (gain,) = evaluated(surer).advantages
    assert (gain.agent, gain.n) == ("x", 2)
    assert gain.nll.value == pytest.approx((log(0.9 / 0.6) + log(0.8 / 0.4)) / 2)
    assert gain.nll.low > 0
    assert gain.accuracy.value == pytest.approx(1 / 2)
    worse = [verdict("1", "a", 0.6, agent=0.9), verdict("2", "b", 0.6, agent=0.2)]
    (loss,) = evaluated(worse).advantages
    assert (loss.nll.value, loss.accuracy.value) == (pytest.approx(-gain.nll.value), -0.5)


def test_only_cases_where_both_spoke_count_for_the_advantage():
    silent = verdict("3", "a", 0.9, agent=0.9).model_copy(update={"posterior": {}})
    heard = [verdict("1", "a", 0.9, agent=0.6), verdict("2", "b", 0.2, agent=0.5)]
    (gain,) = evaluated([*heard, silent, VERDICTS[5]]).advantages
    assert gain.n == 2
    assert gain.nll.value == pytest.approx(evaluated(heard).advantages[0].nll.value)


def test_a_panel_that_cannot_be_judged_says_so():
    with pytest.raises(DataError, match="no case of 'leaves' has both a true label and a verdict with probabilities"):
        _ = evaluated([verdict("1", None, 0.9)]).judged
    assert evaluated(VERDICTS).judged.reader == "panel"


def test_verdicts_at_hand_are_evaluated_like_a_run(found):
    assert evaluate_verdicts(VERDICTS, AB, trust(), name="leaves").panel.accuracy.value == found.panel.accuracy.value


@pytest.mark.parametrize("truth", ["a", "b"])
def test_an_agent_that_spoke_once_has_figures_though_most_draws_miss_it(truth):
    once = [verdict("x", truth, 0.9, agent=0.9), *(verdict(str(i), "ab"[i % 2], 0.6) for i in range(30))]
    (x,) = evaluated(once).agents
    assert (x.n, x.abstained, x.accuracy.value) == (1, 30, float(truth == "a"))
    assert x.mce.value == pytest.approx(0.1 if truth == "a" else 0.9)
    assert x.accuracy.low == wilson(int(truth == "a"), 1).low
