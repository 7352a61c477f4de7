"""One verdict from those of a subject's images: what counts, what does not, and what is promised."""

from dataclasses import replace

import numpy as np
import pytest
from kit import TASK, case_of
from scripts_kit import QUICK, Script, readings

from doubleread.core.errors import DataError
from doubleread.core.opinion import Abstention
from doubleread.core.verdict import Decision, Unfamiliarity, Unread, Verdict
from doubleread.core.verdict_wording import first_screen, title
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.subject_verdicts import SubjectJudge
from doubleread.orchestrator.learning.arbitration import fit_arbiter
from doubleread.orchestrator.learning.subject_pooling import SubjectPooling

SCRIPTS = {"one": Script(0.9), "two": Script(0.8)}
ALARM = Unfamiliarity(score=5, threshold=2, p_value=0.01, n=90, alarm=True, reason="unlike")
BROKEN = Unread(source="c.jpg", code="corrupt", problem="the file ends too early")


def fitted(learning=QUICK):
    """An arbiter fitted on 60 subjects with three images of one label."""
    found = readings(SCRIPTS, 180)
    names = [f"plant {i // 9}-{i % 3}" for i in range(180)]  # labels change with every case
    return fit_arbiter(
        TASK, tuple(SCRIPTS), replace(found, groups=names, subjects=names), Policy(max_rounds=1), learning
    )


@pytest.fixture(scope="module")
def judge():
    return SubjectJudge(fitted())


@pytest.fixture(scope="module")
def unlearned(judge):
    return SubjectJudge(replace(judge.arbiter, subjects=SubjectPooling()))


def shot(name, *shares, **fields):
    label = TASK.names[int(np.argmax(shares))]
    return Verdict(
        case=case_of(name),
        task=TASK.id,
        posterior=dict(zip(TASK.names, shares, strict=True)),
        decision=Decision(action="commit", label=label),
        **fields,
    )


def alarmed(name, *shares):
    leaning = dict(zip(TASK.names, shares, strict=True))
    refer = Decision(action="refer", reasons=("unlike",))
    return Verdict(case=case_of(name), task=TASK.id, posterior={}, leaning=leaning, decision=refer, familiarity=ALARM)


A, B = shot("a.jpg", 0.05, 0.9, 0.05), shot("b.jpg", 0.1, 0.8, 0.1)
OTHER = shot("o.jpg", 0.9, 0.05, 0.05)


def test_one_image_keeps_its_verdict(judge):
    whole = judge.verdict("plant 7", [A])
    same = A.model_copy(update={"case": whole.case, "shots": whole.shots})
    assert whole == same
    assert (whole.images, whole.case.id, whole.case.subject) == (1, A.case.id, "plant 7")
    assert first_screen(whole) == first_screen(A)


def test_images_that_agree_make_one_verdict_with_a_promise(judge):
    whole = judge.verdict("plant 7", [A, B])
    assert (whole.label, whole.decision.action, whole.decision.label) == ("rust", "commit", "rust")
    assert sum(whole.posterior.values()) == pytest.approx(1)
    assert whole.coverage == 0.9
    assert "rust" in whole.prediction_set
    assert whole.track is not None
    assert [one.case.source for one in whole.shots] == ["a.jpg", "b.jpg"]
    assert title(whole) == "plant 7 · 2 images"
    assert "both images say rust" in first_screen(whole)
    assert "calibration subjects" in " ".join(first_screen(whole))


def test_an_image_that_disagrees_is_named_and_makes_the_verdict_less_sure(judge):
    whole = judge.verdict("plant 7", [A, B, OTHER])
    assert whole.label == "rust"
    assert whole.confidence < min(A.confidence, B.confidence)
    assert any("2 of 3 images say rust; o.jpg says healthy" in line for line in first_screen(whole))


def test_the_same_picture_twice_counts_once(judge):
    twice = A.model_copy(update={"case": A.case.model_copy(update={"source": "copy.jpg"})})
    assert judge.verdict("plant 7", [A, twice, B]) == judge.verdict("plant 7", [A, B])


@pytest.mark.parametrize("failing", [BROKEN, alarmed("x.jpg", 0.0, 1.0, 0.0)])
@pytest.mark.parametrize("rule", ["mean", "log-pool"])
def test_an_image_that_fails_never_makes_the_verdict_surer(judge, failing, rule):
    pooling = judge.arbiter.subjects.model_copy(update={"rule": rule, "rho": 0.2})
    judge = SubjectJudge(replace(judge.arbiter, subjects=pooling))
    for shots in ([A], [A, B], [A, B, OTHER]):
        before, after = judge.verdict("p", shots), judge.verdict("p", [*shots, failing])
        assert after.confidence < before.confidence
        assert after.images == before.images + 1
        assert any(line.startswith("not counted") for line in after.warnings)


def test_unread_images_are_counted_and_named(judge):
    whole = judge.verdict("plant 7", [A, BROKEN, B])
    assert whole.unread == (BROKEN,)
    assert any("1 of 3 images (c.jpg: the file ends too early)" in line for line in whole.warnings)


def test_after_an_alarm_on_one_image_no_set_is_promised(judge):
    whole = judge.verdict("plant 7", [A, B, alarmed("x.jpg", 0.9, 0.05, 0.05)])
    assert (whole.coverage, whole.prediction_set) == (None, TASK.names)
    assert not whole.unfamiliar
    assert any("unlike the calibration images: 1 of 3 images (x.jpg)" in line for line in whole.warnings)


def test_alarms_on_all_images_are_an_alarm(judge):
    whole = judge.verdict("plant 7", [alarmed("x.jpg", 0.1, 0.8, 0.1), alarmed("y.jpg", 0.1, 0.6, 0.3), BROKEN])
    assert whole.unfamiliar
    assert (whole.posterior, whole.track, whole.decision.action) == ({}, None, "refer")
    assert whole.leaning["rust"] == pytest.approx(0.7)
    assert "%" not in " ".join(first_screen(whole))


def test_the_images_inside_keep_nothing_that_no_output_may_show(judge):
    whole = judge.verdict("plant 7", [A, alarmed("x.jpg", 0.1, 0.8, 0.1)])
    assert "0.8" not in whole.shots[1].model_dump_json(include={"leaning", "leanings", "posterior"})


def test_without_any_readable_image_a_person_looks(judge):
    whole = judge.verdict("plant 7", [BROKEN])
    assert (whole.label, whole.decision.action, whole.images) == (None, "refer", 1)
    with pytest.raises(DataError, match="plant 7 has no images"):
        judge.verdict("plant 7", [])


def test_an_agent_that_gave_no_answer_can_take_back_a_commitment(judge):
    gone = {"abstentions": (Abstention(agent="two", cause="timeout"),)}
    shaky = [one.model_copy(update=gone) for one in (A, B)]
    assert judge.verdict("p", [A, B]).decision.action == "commit"
    whole = judge.verdict("p", shaky)
    assert whole.decision.action == "refer"
    assert "an agent gave no answer on 2 of the images" in whole.decision.reasons[0]


def test_without_learned_pooling_the_mean_is_used_and_said(unlearned):
    whole = unlearned.verdict("plant 7", [A, B])
    assert whole.posterior["rust"] == pytest.approx(0.85)
    assert (whole.coverage, whole.prediction_set, whole.track) == (None, TASK.names, None)
    assert any("was not learned" in line for line in whole.warnings)


def test_a_limit_on_errors_that_holds_for_images_is_not_taken_for_subjects(unlearned):
    limited = fitted(replace(QUICK, max_risk=0.3))
    learned = SubjectJudge(limited).verdict("p", [A, B])
    assert learned.decision.action == "commit"
    whole = SubjectJudge(replace(limited, subjects=SubjectPooling())).verdict("p", [A, B])
    assert whole.decision.action == "refer"
    assert "for single images" in whole.decision.reasons[0]


def test_more_images_than_calibration_subjects_have_promise_no_set(judge):
    shots = [shot(f"{i}.jpg", 0.05, 0.9, 0.05) for i in range(judge.arbiter.subjects.most + 1)]
    whole = judge.verdict("p", shots)
    assert whole.coverage is None
    assert any("too few calibration subjects have more than" in line for line in whole.warnings)


def test_sets_of_new_subjects_hold_their_label_as_often_as_promised(judge):
    held = judge.arbiter.held_out.posterior
    rows = np.array(judge.arbiter.subjects.held_out.subject)
    labels = np.array(judge.arbiter.subjects.held_out.label)
    inside = []
    for subject in np.unique(rows):
        at = np.flatnonzero(rows == subject)[:2]
        whole = judge.verdict("p", [shot(f"{i}", *held[i]) for i in at])
        inside.append(TASK.names[labels[at[0]]] in whole.prediction_set)
    assert np.mean(inside) >= 0.9 - 1 / len(inside)


def test_the_arbiter_keeps_its_pooling_and_old_ones_load_without(judge):
    data = judge.arbiter.dump()
    assert Arbiter.load(data, judge.arbiter.profiles).subjects == judge.arbiter.subjects
    old = {name: value for name, value in data.items() if name != "subjects"}
    assert Arbiter.load(old, judge.arbiter.profiles).subjects == SubjectPooling()


def test_rows_of_another_number_of_cases_are_found_at_loading(judge):
    rows = judge.arbiter.subjects.held_out
    short = rows.model_copy(update={name: getattr(rows, name)[:5] for name in type(rows).model_fields})
    pooling = judge.arbiter.subjects.model_copy(update={"held_out": short})
    with pytest.raises(DataError, match="subjects of 5 cases"):
        SubjectJudge(replace(judge.arbiter, subjects=pooling)).rehearse()
