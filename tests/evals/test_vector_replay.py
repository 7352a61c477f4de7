"""Replaying arrays takes the same course as case by case, and that of the live graph."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from kit import TASK, ScriptedAgent, ScriptedRetriever, SecondThoughts, case_of
from scripts_kit import QUICK, Script, panel, readings

from doubleread.core.reading import slim
from doubleread.core.task import Costs, with_costs
from doubleread.evals.case_replay import replay_case
from doubleread.evals.vector_replay import AnswerArrays, VectorReplay, sources_of
from doubleread.orchestrator.course.follow import follow
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.kept import kept, readings_of
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.learning.arbitration import Grounds, Learning, fit_arbiter, sources

SCRIPTS = {
    "a": Script(0.8, then=0.97, silent=0.1),
    "b": Script(0.75, then=0.9, silent=0.15),
    "c": Script(0.7, silent=0.2),
    "dear": Script(0.95, then=0.98, usd=0.001, silent=0.05),
}
AGENTS = tuple(SCRIPTS)
POLICIES = {
    "everyone at once": Policy(max_share=0.4),
    "always": Policy(max_share=1.0),
    "never": Policy(max_share=0.0),
    "cascade": Policy(max_share=0.4, ask_share=0.3),
    "cascade, wider second look": Policy(max_share=0.9, ask_share=0.1),
    "one round": Policy(max_rounds=1, ask_share=0.3),
    "dear time": Policy(max_share=0.5, hour_usd=30.0),
}
LEARNINGS = {
    "quick": QUICK,
    "risk promised": Learning(rule="log-pool", calibrator="vector", folds=2, max_risk=0.1),
    "mean": Learning(rule="panel-mean", calibrator="temperature", folds=2),
}


def rows_of(said):
    return kept(TASK, [case_of(str(i)) for i in range(len(said.labels))], said)


def heard(n=60, seed=7, scripts=SCRIPTS):
    """Readings, some far from everything and some without a word or any evidence."""
    said = readings(scripts, n, seed=seed)
    for i, similarity in ((0, -0.9), (1, 0.2)):
        quality = said.evidence[i].quality.model_copy(update={"similarity": similarity})
        said.evidence[i] = said.evidence[i].model_copy(update={"quality": quality})
    said.evidence[2] = said.evidence[2].model_copy(update={"quality": None})
    mute = readings({name: Script(0.5, script.then, silent=1.0) for name, script in scripts.items()}, 2)
    said.first[3], said.second[3] = mute.first[0], mute.second[0]
    return said


def hold_to_replay_case(arbiter, said, replayed):
    """Every case as ``replay_case`` has it."""
    for i, (first, second, evidence) in enumerate(zip(said.first, said.second, said.evidence, strict=True)):
        one = replay_case(arbiter, {a.agent: a for a in first}, {a.agent: a for a in second}, evidence)
        found = one.assessment
        if found.scores:
            expected = [found.scores[name] for name in TASK.names]
            np.testing.assert_allclose(replayed.posterior[i], expected, atol=1e-9, rtol=0)
        else:
            assert np.isnan(replayed.posterior[i]).all()
        assert replayed.committed[i] == (found.decision.action == "commit")
        assert found.decision.label in (None, TASK.names[replayed.label[i]])
        assert replayed.looked_again[i] == (one.round > 1)
        assert {(a.agent, a.round) for a in one.answers.values()} == told(replayed, i, arbiter.agents)


def told(replayed, i, agents=AGENTS):
    first = {(agents[a], 1) for a in np.flatnonzero(replayed.asked[i])}
    second = {(agents[a], 2) for a in np.flatnonzero(replayed.asked_again[i])}
    return first | second


@cache
def random_panel(seed):
    """Agents of random skill, price and silence, an arbiter under a random policy, and answers that it has not seen."""
    rng = np.random.default_rng(seed)
    scripts = {
        f"agent-{i}": Script(
            skill=rng.uniform(0.5, 0.95),
            then=rng.uniform(0.6, 0.99) if rng.random() < 0.7 else None,
            usd=0.001 if i and rng.random() < 0.4 else 0.0,
            silent=rng.choice([0.0, 0.1, 0.4]),
        )
        for i in range(rng.integers(1, 5))
    }
    policy = Policy(
        max_rounds=int(rng.integers(1, 3)),
        max_share=float(rng.choice([0.1, 0.5, 1.0])),
        ask_share=float(rng.choice([0.2, 0.6, 1.0])),
    )
    learning = replace(QUICK, max_risk=0.15) if seed % 3 == 0 else QUICK
    arbiter = panel(scripts, 60, policy=policy, seed=seed, learning=learning)
    return scripts, arbiter, heard(24, seed=100 + seed, scripts=scripts)


@pytest.mark.parametrize("seed", range(12))
async def test_random_panels_take_one_course_in_arrays_case_by_case_and_live(seed):
    scripts, arbiter, said = random_panel(seed)
    arrays = AnswerArrays.of(TASK, arbiter.agents, rows_of(said)).usable(sources_of(arbiter))
    replayed = VectorReplay(arrays).run(arbiter)
    hold_to_replay_case(arbiter, said, replayed)
    for i, (first, second, evidence) in enumerate(zip(said.first, said.second, said.evidence, strict=True)):
        case, seats = case_of(str(i)), live(arbiter, first, second, evidence, scripts)
        verdicts = [await diagnose(case, seats), await follow(case, seats)]
        one = replay_case(arbiter, {a.agent: a for a in first}, {a.agent: a for a in second}, evidence)
        for verdict in verdicts:
            assert (verdict.decision, verdict.scores) == (one.assessment.decision, one.assessment.scores)
            assert verdict.spared == arbiter.spared(one.known(1))
            given = {(a.agent, a.round) for a in (*verdict.opinions, *verdict.abstentions)}
            assert given == told(replayed, i, arbiter.agents)


def test_random_panels_come_to_every_end():
    """Alarms, second looks, agents that are spared and asked after all, referrals: the test above meets them all."""
    ends = []
    for seed in range(12):
        _, arbiter, said = random_panel(seed)
        for first, second, evidence in zip(said.first, said.second, said.evidence, strict=True):
            one = replay_case(arbiter, {a.agent: a for a in first}, {a.agent: a for a in second}, evidence)
            alarm = one.assessment.familiarity is not None and one.assessment.familiarity.alarm
            ends.append((one.turn, bool(arbiter.spared({})), one.assessment.decision.action, alarm))
    assert {turn for turn, *_ in ends} == {"1", "1/all", "2", "2/all"}
    assert {action for _, _, action, _ in ends} == {"commit", "refer"}
    assert any(alarm for *_, alarm in ends)
    assert any(spared and not turn.endswith("all") for turn, spared, *_ in ends)


@pytest.mark.parametrize("learning", LEARNINGS.values(), ids=LEARNINGS)
def test_it_is_what_case_by_case_replay_does_under_every_policy(learning):
    said = heard(90)
    arrays = AnswerArrays.of(TASK, AGENTS, rows_of(said))
    grounds = Grounds.of(TASK, AGENTS, readings(SCRIPTS, 120), learning)
    profiles = panel(SCRIPTS, policy=Policy(max_share=1.0), learning=learning).profiles  # which it looks at
    replay, seen = VectorReplay(arrays.usable(sources(AGENTS, grounds.readings))), []
    for policy in POLICIES.values():
        for referral in (0.2, 0.02, 0.6):
            arbiter, _ = grounds.at(Costs(referral=referral)).settled(policy)
            replayed = replay.run(arbiter)
            hold_to_replay_case(replace(arbiter, profiles=profiles), said, replayed)
            assert not replayed.unanswered.any()
            seen.append((replayed.looked_again.mean(), replayed.committed.mean(), replayed.asked[:, 3].mean()))
    looked, committed, dear = np.array(seen).T
    assert looked.min() == 0 < looked.max()
    assert len(set(committed.tolist())) > 3
    assert dear.min() < 0.5 < dear.max()


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_it_is_what_the_graph_does(policy):
    arbiter = panel(SCRIPTS, policy=policy)
    said = heard(40, seed=11)
    replayed = VectorReplay(AnswerArrays.of(TASK, AGENTS, rows_of(said)).usable(sources_of(arbiter))).run(arbiter)
    for i, (first, second, evidence) in enumerate(zip(said.first, said.second, said.evidence, strict=True)):
        verdict = await diagnose(case_of(str(i)), live(arbiter, first, second, evidence))
        if verdict.scores:
            expected = [verdict.scores[name] for name in TASK.names]
            np.testing.assert_allclose(replayed.posterior[i], expected, atol=1e-9, rtol=0)
        assert replayed.committed[i] == (verdict.decision.action == "commit")
        assert verdict.decision.label in (None, TASK.names[replayed.label[i]])
        assert replayed.looked_again[i] == (verdict.second_look is not None)
        assert {(a.agent, a.round) for a in (*verdict.opinions, *verdict.abstentions)} == told(replayed, i)


def live(arbiter, first, second, evidence, scripts=SCRIPTS):
    def seated(one, other):
        looks = scripts[one.agent].then is not None
        return SecondThoughts(one.agent, one, then_says=other) if looks else ScriptedAgent(one.agent, one)

    agents = {one.agent: seated(one, other) for one, other in zip(first, second, strict=True)}
    return Seats(agents, ScriptedRetriever(evidence), arbiter)


def test_what_was_not_recorded_is_told_and_not_guessed():
    arbiter = panel(SCRIPTS, policy=POLICIES["everyone at once"])
    rows = rows_of(heard(60))
    whole = VectorReplay(AnswerArrays.of(TASK, AGENTS, rows).usable(sources_of(arbiter))).run(arbiter)
    picked = np.flatnonzero(whole.looked_again)[0]
    cut = [row.model_copy(update={"second": ()}) if i == picked else row for i, row in enumerate(rows)]
    replayed = VectorReplay(AnswerArrays.of(TASK, AGENTS, cut).usable(sources_of(arbiter))).run(arbiter)
    assert np.flatnonzero(replayed.unanswered).tolist() == [picked]


def test_a_spared_agent_that_has_no_answer_on_record_is_told_too():
    arbiter = panel(SCRIPTS, policy=POLICIES["cascade"])
    said = AnswerArrays.of(TASK, AGENTS, rows_of(heard(60))).usable(sources_of(arbiter))
    asked = VectorReplay(said).run(arbiter).asked[:, 3]
    said.answered[:, 3] = False
    said.first[:, 3] = np.nan
    assert 0 < asked.sum() < 60
    np.testing.assert_array_equal(VectorReplay(said).run(arbiter).unanswered, asked)


def test_opinions_of_another_source_are_left_out():
    arbiter = panel(SCRIPTS, policy=Policy(max_rounds=1))
    rows = rows_of(heard(30))
    other = [
        row.model_copy(
            update={
                "first": tuple(
                    a.model_copy(update={"confidence_source": "logprobs"})
                    if a.agent == "a" and "label" in a.model_dump()
                    else a
                    for a in map(slim, row.first)
                )
            }
        )
        for row in rows
    ]
    said = readings_of(TASK, AGENTS, other, "")
    replayed = VectorReplay(AnswerArrays.of(TASK, AGENTS, other).usable(sources_of(arbiter))).run(arbiter)
    hold_to_replay_case(arbiter, said, replayed)
    assert not np.allclose(
        replayed.posterior,
        VectorReplay(AnswerArrays.of(TASK, AGENTS, rows).usable(sources_of(arbiter))).run(arbiter).posterior,
        equal_nan=True,
    )


def test_rows_and_columns_of_what_was_said():
    said = AnswerArrays.of(TASK, AGENTS, rows_of(heard(12)))
    part = said.rows(np.array([4, 0])).columns([2, 0])
    np.testing.assert_array_equal(part.first, said.first[[4, 0]][:, [2, 0]])
    np.testing.assert_array_equal(part.nearness, said.nearness[[4, 0]])
    assert part.again.shape == (2, 2)
    assert AnswerArrays.of(TASK, AGENTS, []).first.shape == (0, 4, 3)


def test_other_costs_are_those_of_the_live_task():
    grounds = Grounds.of(TASK, AGENTS, readings(SCRIPTS, 120), QUICK)
    arbiter, _ = grounds.at(Costs(referral=0.05)).settled(Policy())
    live_one = fit_arbiter(with_costs(TASK, Costs(referral=0.05)), AGENTS, readings(SCRIPTS, 120), Policy(), QUICK)
    assert (arbiter.policy, arbiter.selective) == (live_one.policy, live_one.selective)
    np.testing.assert_array_equal(arbiter.held_out.posterior, live_one.held_out.posterior)
