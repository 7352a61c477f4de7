"""Sweeps: what is replayed is what would have been, on cases that had no part in it, and no more is claimed."""

from dataclasses import replace

import numpy as np
import pytest
from kit import TASK, ScriptedAgent, ScriptedRetriever, SecondThoughts, case_of
from scripts_kit import Script, readings
from sweep_kit import SCRIPTS, recorded

from doubleread.core.errors import DataError, RunError, UnknownPart
from doubleread.core.task import Costs
from doubleread.evals.case_replay import replay_case
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_record import RunRecord
from doubleread.evals.sweep import RecordedAnswers, UnseenCases, sweep, variants_of
from doubleread.evals.sweep._chance_control import Resamples, holm, paired_tests, picked_elsewhere
from doubleread.evals.sweep._neighbours_replay import Neighbourhood
from doubleread.evals.sweep._scoring import Bench, judged
from doubleread.evals.sweep._variant_replay import play
from doubleread.evals.sweep.sweep_figures import VariantOutcomes
from doubleread.orchestrator.course.graph import Seats, diagnose
from doubleread.orchestrator.course.kept import readings_of
from doubleread.orchestrator.learning.arbitration import fit_arbiter
from doubleread.orchestrator.resampling import grouped_folds
from doubleread.panel.feedback import calibration_rows
from doubleread.panel.fitting import learning_of, policy_of
from doubleread.panel.panel_folder import read_panel

PAID = {**SCRIPTS, "dear": Script(0.97, then=0.99, usd=0.002)}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("panel"))


# -- what is to vary ----------------------------------------------------------------------------------------------


def test_every_combination_follows_the_panel_as_it_is(record):
    found = variants_of(record.first, ["max_share=0,0.12", "rule=log-pool,majority"])
    names = [one.name(record.first) for one in found]
    assert names == ["as it is", "max_share=0", "rule=majority max_share=0", "rule=majority"]
    assert found[0] == record.first
    assert (found[0].agents, found[0].rule, found[0].referral) == (("a", "b", "c"), "log-pool", 0.2)


def test_agents_are_named_with_or_without():
    from doubleread.evals.sweep import Variant

    first = Variant(
        agents=("zero-shot", "shot", "c"), rule="auto", calibrator="auto", max_share=0, cascade=1, referral=0.2
    )
    values = ["agents=all,-zero-shot,-shot,-zero-shot-c,zero-shot+c,c"]
    sets = [one.agents for one in variants_of(first, values)]
    assert sets == [first.agents, ("shot", "c"), ("zero-shot", "c"), ("shot",), ("c",)]
    assert [one.agents for one in variants_of(first, ["agents"])][1:] == [
        ("shot", "c"),
        ("zero-shot", "c"),
        ("zero-shot", "shot"),
    ]


@pytest.mark.parametrize(
    ("vary", "error", "told"),
    [
        (["policy=1"], UnknownPart, "unknown thing to vary 'policy'; known: agents, calibrator"),
        (["rule=best"], UnknownPart, "unknown fusion rule 'best'"),
        (["calibrator=best"], UnknownPart, "unknown calibrator 'best'"),
        (["agents=-d"], UnknownPart, "unknown agent of this panel 'd'; known: a, b, c"),
        (["agents=-a-b-c"], DataError, "leaves no agent"),
        (["max_share=2"], DataError, "max_share=2 is not valid: give a number from 0 to 1"),
        (["max_share=much"], DataError, "max_share=much is not valid: give a number"),
        (["k=1.5"], DataError, "k=1.5 is not valid: give a whole number"),
        (["k=5", "top=3"], DataError, "k cannot be varied together with top or local"),
        ([], DataError, "nothing to vary; name at least one of agents"),
        (["max_share=" + ",".join(f"{i / 1000}" for i in range(600))], DataError, "600 variants are too many"),
    ],
)
def test_what_cannot_be_varied_is_told(record, vary, error, told):
    with pytest.raises(error, match=told.replace("(", r"\(")):
        variants_of(record.first, vary)


def test_a_referee_cannot_stay_where_somebody_it_heard_is_gone(record):
    with pytest.raises(
        DataError, match=r"c was given the answers of a, and its answer without them was not recorded.*agents=-a-c"
    ):
        variants_of(record.first, ["agents=-a"], referees=["c"])
    assert len(variants_of(record.first, ["agents=-a-c,-c"], referees=["c"])) == 3


# -- chance -------------------------------------------------------------------------------------------------------


def test_holm_by_hand():
    # 3 × .01, then 2 × .02 = .04, then .03, which may not fall below its predecessor
    assert holm(np.array([0.03, 0.01, 0.02])) == pytest.approx([0.04, 0.03, 0.04])
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_groups_swap_sides_together():
    # four groups that all say +1: of 16 ways to swap, 2 are as far out; eight cases in two groups: 2 of 4
    alone, pairs = np.arange(4), np.repeat([0, 1], 4)
    p = paired_tests(np.ones((4, 1)), alone, seed=0)[0]
    assert p == pytest.approx(2 / 16, abs=0.02)
    assert paired_tests(np.ones((8, 1)), pairs, seed=0)[0] == pytest.approx(0.5, abs=0.03)
    assert paired_tests(np.zeros((4, 1)), alone, seed=0)[0] == 1.0


def test_whole_groups_are_drawn_and_sure_shares_keep_a_doubt():
    groups = ["x"] * 9 + ["y"]
    found = Resamples(groups, 10, 400, seed=0).mean(np.array([1.0] * 9 + [0.0]))
    assert found.value == 0.9
    assert (found.low, found.high) == (0.0, 1.0)  # one of two groups alone, a quarter of the time each
    sure = Resamples(None, 9, 100, seed=0).share(np.ones(9, dtype=bool))
    assert sure.value == sure.high == 1
    assert sure.low == pytest.approx(0.701, abs=1e-3)  # Wilson


def test_the_choice_is_made_on_other_parts():
    costs = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.5]])
    # the first part sees 1 and 1 against 0 and .5 elsewhere: the second variant; the second part the other way round
    assert picked_elsewhere(costs, np.array([0, 0, 1, 1])).tolist() == [1, 1, 0, 0]
    assert picked_elsewhere(costs, np.zeros(4, dtype=np.int64)).tolist() == [0, 0, 0, 0]


def test_figures_by_hand(record):
    labels = np.array([0, 1, 2, 0])
    posterior = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [np.nan] * 3])
    no = np.zeros(4, dtype=bool)
    committed = np.array([True, True, False, False])
    usd = np.array([0.0, 0.02, 0.0, 0.0])
    played = VariantOutcomes(
        posterior, np.array([0, 0, 2, 0]), committed, np.array([False, True, False, False]), no, usd
    )
    bench = Bench(labels, Resamples(None, 4, 50, 0), np.arange(4), bins=10, error_usd=0.5)
    one = judged(bench, [TASK], [record.first], [played], seed=0)[0].figures
    found = {name: e.value for name, e in one.items()}
    assert found["accuracy"] == 0.5  # nobody spoke on the last
    assert found["nll"] == pytest.approx(-np.mean(np.log([0.9, 0.1, 0.6, 1 / 3])))
    assert found["ece"] == pytest.approx((0.1 + 0.8 + 0.4) / 3)
    assert (found["wrong"], found["referred"], found["looked_again"]) == (0.25, 0.5, 0.25)
    assert found["cost"] == pytest.approx((0 + 1 + 0.2 + 0.2) / 4 + 0.02 / 0.5 / 4)
    assert found["usd"] == pytest.approx(0.005)


# -- replayed as it would have been --------------------------------------------------------------------------------


def test_the_panel_as_it_is_does_what_fits_on_other_folds_do(record):
    found = sweep(record, variants_of(record.first, ["max_share=0"]), draws=20)
    rows = readings_of(TASK, record.agents, record.rows, "")
    settings = record.saved.settings
    right, looked, cost = [], [], []
    for fold in grouped_folds(rows.labels, rows.groups, 3, 0):
        arbiter = fit_arbiter(TASK, record.agents, rows.rows(fold.train), policy_of(settings), learning_of(settings))
        for i in fold.test:
            one = replay_case(
                arbiter, {a.agent: a for a in rows.first[i]}, {a.agent: a for a in rows.second[i]}, rows.evidence[i]
            )
            p, said = one.assessment.scores, one.assessment.decision
            truth = TASK.names[rows.labels[i]]
            right.append(max(p, key=p.get) == truth)
            looked.append(one.round > 1)
            cost.append(0.2 if said.label is None else float(said.label != truth))
    figures = found.judged[0].figures
    assert figures["accuracy"].value == pytest.approx(np.mean(right))
    assert figures["looked_again"].value == pytest.approx(np.mean(looked))
    assert figures["cost"].value == pytest.approx(np.mean(cost))
    assert 0 < np.mean(looked) < 0.5
    assert (found.n, found.groups) == (90, 45)
    assert found.judged[1].figures["looked_again"].value == 0


def test_variants_decide_as_they_are_told(record):
    vary = ["referral=0.01,0.9", "agents=all,a"]
    low, low_alone, high, high_alone = sweep(record, variants_of(record.first, vary), draws=20).judged[1:]
    assert low.figures["referred"].value > 0.8 > 0.15 > high.figures["referred"].value
    assert high.figures["wrong"].value > low.figures["wrong"].value
    assert "cost" not in low.difference  # other costs do not compare
    assert low.p is None
    assert (low_alone.variant.agents, high_alone.name) == (("a",), "agents=a referral=0.9")


def test_promised_risk_refers_more(record):
    plain, promised = sweep(record, variants_of(record.first, ["max_risk=0.02"]), draws=20).judged
    assert promised.figures["referred"].value > plain.figures["referred"].value


def test_the_caveat_is_about_all_that_compare(record):
    found = sweep(record, variants_of(record.first, ["rule=majority,log-pool", "referral=0.1,0.2"]), draws=50)
    assert len(found.judged) == 4
    assert found.pick.variants == 2
    assert sum(found.pick.picked.values()) == pytest.approx(1)
    assert found.pick.best_cost <= found.pick.cost.value + 1e-12
    assert found.notes == (
        "variants with different costs of a referral cannot be compared by cost: no difference in cost is given",
    )


# -- honesty ------------------------------------------------------------------------------------------------------


def test_no_variant_sees_the_truth_of_its_test_groups(record):
    variants = variants_of(record.first, ["rule=stacking,log-pool", "max_share=0,0.5"])
    rows = readings_of(TASK, record.agents, record.rows, "")
    fold = grouped_folds(rows.labels, rows.groups, 3, 0)[0]
    assert not {rows.groups[i] for i in fold.train} & {rows.groups[i] for i in fold.test}
    others = {name: TASK.names[(i + 1) % 3] for i, name in enumerate(TASK.names)}
    lied = tuple(
        row.model_copy(update={"label": others[row.label]}) if i in fold.test else row
        for i, row in enumerate(record.rows)
    )
    truly, falsely = (play(one, variants, [fold]) for one in (record, replace(record, rows=lied)))
    for one, other in zip(truly, falsely, strict=True):
        assert np.isfinite(one.posterior[fold.test]).all()
        np.testing.assert_array_equal(one.posterior, other.posterior)
        np.testing.assert_array_equal(one.committed, other.committed)
        np.testing.assert_array_equal(one.looked_again, other.looked_again)


def test_shuffled_labels_leave_chance(tmp_path):
    record = recorded(tmp_path, n=150, per_group=1)
    shuffled = np.random.default_rng(0).permutation([row.label for row in record.rows])
    rows = tuple(row.model_copy(update={"label": str(to)}) for row, to in zip(record.rows, shuffled, strict=True))
    variants = variants_of(record.first, ["rule=log-pool,stacking,confusion-bayes", "calibrator=temperature,vector"])
    found = sweep(replace(record, rows=rows), variants, draws=200)
    for one in found.judged:
        assert one.figures["accuracy"].value < 1 / 3 + 3 * np.sqrt(2 / 9 / 150)
        assert one.figures["nll"].value > np.log(3) - 0.02
    assert found.pick.cost.value > 0.19  # there is nothing to do but to refer
    truly = sweep(record, variants[:1], draws=20).judged[0]
    assert truly.figures["accuracy"].value > 0.75


# -- on a run -----------------------------------------------------------------------------------------------------


def head(folder):
    record = RunRecord(
        name="new",
        cases=0,
        digest="",
        panel="",
        task=TASK,
        trust=(),
        archive="",
        settings={},
        provenance={},
        seed=0,
        started="2026-01-01T00:00:00Z",
    )
    (folder / "run.json").write_text(record.model_dump_json(), encoding="utf-8")


async def run_folder(folder, record, n=40, seed=5, *, scripts=SCRIPTS, first="run"):
    """Live verdicts of the record's panel on new cases, as rows."""
    said = readings(scripts, n, seed)
    lines = []
    for i, (one, two, evidence) in enumerate(zip(said.first, said.second, said.evidence, strict=True)):
        agents = {
            a.agent: SecondThoughts(a.agent, a, then_says=b) if scripts[a.agent].then else ScriptedAgent(a.agent, a)
            for a, b in zip(one, two, strict=True)
        }
        label = TASK.names[said.labels[i]]
        case = case_of(f"{first} {i}", label=label, group=f"new {i // 2}")
        verdict = await diagnose(case, Seats(agents, ScriptedRetriever(evidence), record.saved.arbiter))
        lines.append(Row(index=i, case=case, verdict=verdict).line())
    folder.mkdir(exist_ok=True)
    head(folder)
    (folder / "rows.jsonl").write_text("\n".join([lines[0], *lines]) + '\n{"index": 99, "ca')  # one again, one torn
    return folder


async def test_a_run_is_replayed_as_it_was(tmp_path, record):
    run = UnseenCases.of(await run_folder(tmp_path / "run", record), record)
    found = sweep(record, variants_of(record.first, ["max_share=0,1"]), run, draws=20)
    rows = [Row.of_line(line) for line in (tmp_path / "run" / "rows.jsonl").read_text().splitlines()[1:-1]]
    verdicts = [row.verdict for row in rows]
    figures = found.judged[0].figures
    assert found.n == 40
    assert figures["accuracy"].value == pytest.approx(np.mean([v.label == v.case.label for v in verdicts]))
    assert figures["looked_again"].value == pytest.approx(np.mean([v.second_look is not None for v in verdicts]))
    assert figures["referred"].value == pytest.approx(np.mean([v.decision.action == "refer" for v in verdicts]))
    assert [one.name for one in found.judged] == ["as it is", "max_share=0"]
    (refused,) = found.refused
    assert refused.name == "max_share=1"
    assert "no model was called for these" in refused.why


async def test_the_panels_own_cases_do_not_judge_it(tmp_path, record):
    folder = await run_folder(tmp_path / "run", record, 6)
    own = record.rows[0]
    line = (folder / "rows.jsonl").read_text().splitlines()[1].replace(case_of("run 0").id, own.case)
    (folder / "rows.jsonl").write_text(
        "\n".join([*(folder / "rows.jsonl").read_text().splitlines()[1:-1], line]) + "\n"
    )
    run = UnseenCases.of(folder, record)
    assert (run.left_out, len(run.labels)) == (1, 5)
    assert len(list(run.rows())) == 5
    found = sweep(record, variants_of(record.first, ["referral=0.1"]), run, draws=20)
    assert "1 cases of the run are left out: the panel has learned from them or from their groups" in found.notes


async def test_a_cascade_takes_its_prices_from_the_run_or_from_a_person(tmp_path):
    record = recorded(tmp_path / "panel", PAID)
    variants = variants_of(record.first, ["cascade=0.3,1", "max_share=0"])
    with pytest.raises(DataError, match=r"no price of an agent is known.*--usd gpt=0.002"):
        sweep(record, variants)
    run = UnseenCases.of(await run_folder(tmp_path / "run", record, scripts=PAID), record)
    assert run.usd == {"dear": pytest.approx(0.002)}
    priced = replace(record, usd={"dear": 0.002})
    for found in (sweep(record, variants, run, draws=20), sweep(priced, variants, draws=20)):
        _, spared, everyone = found.judged
        assert everyone.figures["usd"].value == pytest.approx(0.002)
        assert 0 < spared.figures["usd"].value < 0.001
        assert spared.difference["usd"].high < 0


def test_second_looks_that_were_never_taken_are_not_replayed(tmp_path):
    record = recorded(tmp_path, {"a": Script(0.8), "c": Script(0.6)}, second_look={"max_rounds": 1})
    with pytest.raises(DataError, match=r"has no recorded second looks.*max_rounds = 2"):
        sweep(record, variants_of(record.first, ["max_share=0.1"]))


def test_a_price_needs_an_agent_and_a_run_its_rows(tmp_path, saved):
    with pytest.raises(DataError, match="this panel has no agent gpt"):
        RecordedAnswers.of(read_panel(saved, None), {"gpt": 1.0})
    with pytest.raises(RunError, match="contains no run"):
        UnseenCases.of(tmp_path, RecordedAnswers.of(read_panel(saved, None)))
    head(tmp_path)
    (tmp_path / "rows.jsonl").write_text("nonsense\n")
    with pytest.raises(RunError, match="is damaged at b'nonsense"):
        UnseenCases.of(tmp_path, RecordedAnswers.of(read_panel(saved, None)))


# -- neighbours ---------------------------------------------------------------------------------------------------


def test_neighbours_weighed_as_they_were_say_what_they_said(made, quick):
    saved = read_panel(made, quick)
    rows = calibration_rows(saved)
    around = Neighbourhood.of(saved)
    again = list(around.read_again(rows, (None, saved.head.weighting.top, saved.head.weighting.local)))
    said = [next(a for a in row.first if a.agent == "neighbours").vector(saved.arbiter.task) for row in rows]
    anew = [next(a for a in row.first if a.agent == "neighbours").vector(saved.arbiter.task) for row in again]
    np.testing.assert_allclose(anew, said, atol=1e-9)
    for weighed in ((None, 1, 10), (3, 5, 10)):
        other = [row.first[-1].vector(saved.arbiter.task) for row in around.read_again(rows, weighed)]
        assert not np.allclose(other, said, atol=1e-3)


def test_a_vote_counts_the_nearest_cases(made, quick):
    saved = read_panel(made, quick)
    rows = calibration_rows(saved)
    for row in Neighbourhood.of(saved).read_again(rows[:4], (saved.settings.retrieval.k, 5, 10)):
        vote = [row.evidence.as_indexed[name] for name in saved.arbiter.task.names]
        np.testing.assert_allclose(row.first[-1].vector(saved.arbiter.task), vote, atol=1e-6)


def test_encodings_that_are_not_cached_are_told(made, quick, tmp_path):
    saved = read_panel(made, quick)
    empty = quick.encoder.model_copy(update={"cache_dir": str(tmp_path)})
    elsewhere = replace(saved, settings=saved.settings.model_copy(update={"encoder": empty}))
    with pytest.raises(DataError, match=r"have no cached encoding in .*set encoder.cache_dir"):
        list(Neighbourhood.of(elsewhere).read_again(calibration_rows(saved), (None, 1, 10)))


def test_only_a_panel_with_neighbours_can_weigh_them(record):
    with pytest.raises(DataError, match="'neighbours', which this panel does not have"):
        sweep(record, variants_of(record.first, ["top=1"]))


def test_costs_of_a_task_stay_but_for_the_referral(record):
    from doubleread.evals.sweep._variant_replay import task_of

    priced = TASK.model_copy(update={"costs": Costs(referral=0.3, matrix={"rust": {"scab": 3.0}})})
    arbiter = replace(record.saved.arbiter, task=priced)
    other = replace(record, saved=record.saved.with_trust(replace(record.saved.trust, arbiter=arbiter)))
    costs = task_of(other, other.first.model_copy(update={"referral": 0.1})).costs
    assert costs == Costs(referral=0.1, matrix={"rust": {"scab": 3.0}})
