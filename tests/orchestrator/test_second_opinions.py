"""What a second look is about, and what becomes of referees."""

import numpy as np
from kit import TASK, ScriptedAgent, ScriptedRetriever, SecondThoughts, case_of, evidence_for, opinion

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.course import contested
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Readers, Seats
from doubleread.orchestrator.learning.arbitration import Learning, Readings, fit_arbiter
from doubleread.orchestrator.metrics import log_gain

CASE = case_of("leaf")
NOTHING = Evidence(neighbours=())


class Referee:
    """Says what it was told to; keeps what it was shown."""

    def __init__(self, name, says):
        self.name, self._says, self.shown = name, says, []

    async def deliberate(self, answers, profiles, evidence):
        self.shown.append((dict(answers), dict(profiles), evidence))
        if isinstance(self._says, Exception):
            raise self._says
        return self._says


def readings(skills, n=150, seed=0):
    """First answers of agents with a skill each; no second ones."""
    rng, labels = np.random.default_rng(seed), np.arange(n) % 3

    def said(name, truth, skill):
        shares = np.full(3, 0.1)
        shares[truth if rng.random() < skill else rng.integers(3)] = 0.8
        return opinion(name, *shares)

    rows = [[said(name, truth, skill) for name, skill in skills.items()] for truth in labels]
    return Readings(rows, rows, [evidence_for(TASK.names[t]) for t in labels], labels, None, "a test")


def learned(skills, referees=("judge",)):
    policy = Policy(max_rounds=1)
    return fit_arbiter(TASK, tuple(skills), readings(skills), policy, Learning(), referees)


def test_labels_that_anyone_named_or_the_evidence_implies_are_contested():
    said = [opinion("a", 0.8, 0.1, 0.1), opinion("b", 0.1, 0.1, 0.8), Abstention(agent="c", cause="timeout")]
    assert contested(TASK, said, NOTHING) == ("healthy", "scab")
    assert contested(TASK, said, evidence_for("rust")) == ("healthy", "rust", "scab")


def test_where_all_agree_the_runner_up_is_contested_too():
    said = [opinion("a", 0.1, 0.7, 0.2), opinion("b", 0.15, 0.8, 0.05)]
    assert contested(TASK, said, evidence_for("rust")) == ("healthy", "rust")
    assert len(contested(TASK, [], NOTHING)) == 2


async def test_a_second_look_gets_cases_of_every_contested_label():
    both = evidence_for("rust").neighbours[:2] + evidence_for("scab").neighbours[:2]
    found = evidence_for("rust").model_copy(update={"neighbours": both})
    said = [opinion("a", 0.0, 0.4, 0.6)]
    readers = Readers({}, ScriptedRetriever(found))
    evidence = await readers.contrast(contested(TASK, said, found), CASE, found)
    assert evidence.contested == ("rust", "scab")
    assert {n.label for n in evidence.contrast} == {"rust", "scab"}
    assert evidence.distribution == found.distribution


def test_a_referee_stays_only_where_it_clearly_helps():
    assert learned({"a": 0.6, "judge": 0.95}).left_out == ()
    assert learned({"a": 0.9, "judge": 0.0}).left_out == ("judge",)
    silent = learned({"a": 0.9, "judge": 0.0})
    assert "referee judge left out" in " ".join(silent.notes)
    assert Arbiter.load(silent.dump(), silent.profiles).left_out == ("judge",)


def test_gains_within_their_own_noise_do_not_count():
    labels = np.zeros(50, dtype=np.int64)
    before = np.tile([0.6, 0.4], (50, 1))
    assert log_gain(before, np.tile([0.7, 0.3], (50, 1)), labels).clear
    noisy = np.where((np.arange(50) % 2 == 0)[:, None], [0.95, 0.05], [0.4, 0.6])
    assert noisy[:, 0].mean() > 0.6
    assert not log_gain(before, noisy, labels).clear
    assert not log_gain(before, before, labels).clear


async def test_a_referee_sees_answers_and_records_but_not_the_case():
    arbiter = learned({"a": 0.6, "judge": 0.95})
    judge = Referee("judge", opinion("judge", 0.05, 0.05, 0.9))
    agents = {"a": ScriptedAgent("a", opinion("a", 0.1, 0.8, 0.1))}
    seats = Seats(agents, ScriptedRetriever(evidence_for("scab")), arbiter, referees={"judge": judge})
    verdict = await diagnose(CASE, seats)
    [(answers, profiles, evidence)] = judge.shown
    assert set(answers) == set(profiles) == {"a"}
    assert evidence.label == "scab"
    assert {o.agent for o in verdict.opinions} == {"a", "judge"}
    assert verdict.influence["judge"] > verdict.influence["a"]
    assert verdict.label == "scab"


async def test_a_referee_that_fails_or_was_left_out_stops_nobody():
    agents = {"a": ScriptedAgent("a", opinion("a", 0.1, 0.8, 0.1))}
    found = ScriptedRetriever(evidence_for("rust"))
    broken = Referee("judge", RuntimeError("out of order"))
    verdict = await diagnose(CASE, Seats(agents, found, learned({"a": 0.6, "judge": 0.95}), referees={"judge": broken}))
    assert verdict.label == "rust"
    assert [(a.agent, a.cause) for a in verdict.abstentions] == [("judge", "failure")]
    ignored = Referee("judge", opinion("judge", 0.0, 0.0, 1.0))
    await diagnose(CASE, Seats(agents, found, learned({"a": 0.9, "judge": 0.0}), referees={"judge": ignored}))
    assert ignored.shown == []


async def test_every_answer_has_a_witness():
    heard = []
    arbiter = learned({"a": 0.6, "judge": 0.95})
    agents = {"a": SecondThoughts("a", opinion("a", 0.1, 0.8, 0.1))}
    judge = Referee("judge", opinion("judge", 0.05, 0.9, 0.05))
    seats = Seats(
        agents,
        ScriptedRetriever(evidence_for("rust")),
        arbiter,
        referees={"judge": judge},
        witness=lambda case, answer: heard.append((case.id, answer.agent, answer.round)),
    )
    await diagnose(CASE, seats)
    assert heard == [(CASE.id, "a", 1), (CASE.id, "judge", 1)]
