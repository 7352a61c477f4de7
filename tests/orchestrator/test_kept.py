"""Readings that are kept come back as they were, and are graded by fits that had not seen them."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from kit import TASK, case_of, evidence_for, opinion

from doubleread.core.errors import DataError
from doubleread.core.opinion import Abstention
from doubleread.core.reading import Outcome, Reading, slim
from doubleread.core.verdict import Decision, SecondLook, Verdict
from doubleread.orchestrator.course.kept import kept, readings_of
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Learning, Readings, fit_arbiter
from doubleread.orchestrator.trust.grading import graded_learned, graded_unseen

AGENTS = ("sharp", "dull", "shy")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def script(n=60, seed=0, *, second=True):
    """Readings of two agents that may look again, and of one that may not and often abstains."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    first, again = [], []
    for y in labels:
        said = [opinion("sharp", *share(rng, y, 2.5)), opinion("dull", *share(rng, y, 1.0))]
        shy = opinion("shy", *share(rng, y, 2)) if rng.random() < 0.6 else Abstention(agent="shy", cause="timeout")
        later = [opinion(a.agent, *share(rng, y, 3.5), round=2) for a in said] if second else said
        first.append([*said, shy])
        again.append([*later, shy])
    evidence = [evidence_for(TASK.names[y]) for y in labels]
    return Readings(first, again, evidence, labels, [f"leaf {i // 2}" for i in range(n)], "a script")


def share(rng, y, skill):
    p = np.exp(rng.normal(size=3) + skill * (np.arange(3) == y))
    return p / p.sum()


def cases(n):
    return [case_of(f"case {i}") for i in range(n)]


def learned(readings):
    return fit_arbiter(TASK, AGENTS, readings, Policy(), Learning(rule="log-pool", calibrator="temperature", folds=3))


def test_subjects_are_kept_and_come_back():
    subjects = [None if i % 4 == 0 else f"plant {i // 3}" for i in range(60)]
    rows = kept(TASK, cases(60), replace(script(), subjects=subjects))
    assert readings_of(TASK, AGENTS, rows, "a script").subjects == subjects
    assert readings_of(TASK, AGENTS, kept(TASK, cases(60), script()), "a script").subjects is None


@pytest.fixture(scope="module")
def readings():
    return script()


@pytest.fixture(scope="module")
def arbiter(readings):
    return learned(readings)


def written(rows):
    """The rows, from JSON and back."""
    return [type(row).model_validate_json(row.model_dump_json(exclude_defaults=True)) for row in rows]


def test_readings_come_back_and_the_same_is_learned_from_them(readings, arbiter):
    rows = written(kept(TASK, cases(60), readings))
    assert not rows[0].evidence.neighbours
    again = learned(readings_of(TASK, AGENTS, rows, "a script"))
    assert again.dump() == arbiter.dump()
    assert again.profiles == arbiter.profiles


def test_an_answer_without_words_is_small():
    said = opinion("sharp", 0.2, 0.3, 0.5).model_copy(update={"reason": "r" * 5000, "request_id": "x", "seconds": 2.0})
    assert slim(said) == opinion("sharp", 0.2, 0.3, 0.5)
    assert len(slim(said).model_dump_json(exclude_defaults=True)) < 300
    assert slim(Abstention(agent="a", cause="quota", detail="d", seconds=1)) == Abstention(agent="a", cause="quota")


def test_one_look_only_is_kept_as_such():
    rows = kept(TASK, cases(60), script(second=False))
    assert {row.second for row in rows} == {()}
    assert learned(readings_of(TASK, AGENTS, rows, "")).second is None


def test_the_held_out_posterior_is_that_which_the_track_record_rests_on(readings, arbiter):
    assert arbiter.second is not None
    posterior = arbiter.held_out.posterior
    found = graded_learned(arbiter, kept(TASK, cases(60), readings))
    assert set(found.readers) == {"sharp", "dull", "shy", "panel"}
    assert found.readers["panel"] == pytest.approx(posterior)
    assert np.isnan(found.readers["shy"]).any()


def test_cases_that_were_not_looked_at_again_teach_the_first_round_only(readings, arbiter):
    """A confirmed case has a second look only where the panel took one."""
    more = kept(TASK, [case_of(f"more {i}") for i in range(30)], script(30, seed=1))
    some = [*kept(TASK, cases(60), readings), *(row.model_copy(update={"second": ()}) for row in more)]
    both = learned(readings_of(TASK, AGENTS, some, ""))
    assert (both.profile("sharp", 1).n, both.profile("sharp", 2).n) == (90, 60)
    assert both.profile("sharp", 2).abstained == 0
    ours, theirs = ([c and c.params() for c in a.second.learned.calibrators] for a in (both, arbiter))
    assert both.second.pooling == arbiter.second.pooling == "answers"
    assert ours[3:] == theirs[3:]
    assert graded_learned(both, some).readers["panel"].max(axis=1) == pytest.approx(both.held_out.confidence)


# -- outcomes -----------------------------------------------------------------------------------------------------


def verdict_on(row: Reading, arbiter, *, version=1, looked=False):
    """What the arbiter says to a reading, as a verdict."""
    first = {a.agent: a for a in row.first}
    last = {**first, **({a.agent: a for a in row.second} if looked else {})}
    found = arbiter.assess(first, last, row.evidence, round_=2 if looked else 1)
    given = [*row.first, *(row.second if looked else ())]
    return Verdict(
        case=case_of("x", group="leaf"),
        task=TASK.id,
        posterior=found.posterior,
        decision=Decision(action="refer"),
        opinions=tuple(a for a in given if not isinstance(a, Abstention)),
        abstentions=tuple(a for a in given if isinstance(a, Abstention)),
        evidence=row.evidence,
        second_look=SecondLook(reasons=("so",), rounds=2, before=found.posterior) if looked else None,
        trust_version=version,
    )


@pytest.mark.parametrize("looked", [False, True])
def test_an_outcome_holds_what_is_needed_to_judge_the_panel_again(readings, arbiter, looked):
    row = kept(TASK, cases(60), readings)[1]
    verdict = verdict_on(row, arbiter, looked=looked)
    (outcome,) = written([Outcome.of(verdict, "rust", time=NOW, sampling="all", reviewer="ann")])
    assert (outcome.group, outcome.reviewer, outcome.action) == ("leaf", "ann", "refer")
    assert outcome.kind == ("confirmed" if verdict.label == "rust" else "corrected")
    assert bool(outcome.second) == looked
    said = list(verdict.posterior.values())
    then = graded_unseen(arbiter, [outcome]).readers["panel"][0]
    anew = graded_unseen(arbiter, [outcome.model_copy(update={"trust_version": 7})]).readers["panel"][0]
    assert then == pytest.approx(said)
    assert anew == pytest.approx(said)


def test_a_case_on_which_nobody_spoke_is_no_outcome(readings, arbiter):
    verdict = verdict_on(kept(TASK, cases(60), readings)[0], arbiter)
    mute = verdict.model_copy(update={"opinions": (), "posterior": {}})
    with pytest.raises(DataError, match="no agent gave an opinion"):
        Outcome.of(mute, "rust", time=NOW, sampling="all")


def test_readings_of_picked_cases():
    readings = script(6)
    picked = np.array([0, 3])
    assert readings.rows(picked).labels.tolist() == [0, 0]
    assert readings.rows(picked).groups == ["leaf 0", "leaf 1"]
    assert replace(readings, groups=None).rows(picked).groups is None
