import numpy as np
import pytest
from kit import evidence_for
from scipy.stats import betabinom

from doubleread.core.evidence import EvidenceQuality
from doubleread.core.verdict import Unfamiliarity
from doubleread.orchestrator.conformal.exchangeable import units_needed
from doubleread.orchestrator.ood.familiarity import Familiarity, doubts, nearness_of

NAN = float("nan")


def evidence_at(nearness):
    found = evidence_for("rust")
    return found.model_copy(
        update={"quality": EvidenceQuality(similarity=0.7, agreement=1, margin=0.8, nearness=nearness)}
    )


def opinions(n, rng, agents=2, sharpness=3.0):
    p = np.exp(sharpness * rng.normal(size=(n, agents, 3)))
    return p / p.sum(axis=2, keepdims=True)


def fitted(n=200, seed=0, alarm_rate=0.02, agents=2):
    rng = np.random.default_rng(seed)
    return Familiarity.fit(rng.normal(0.8, 0.05, n), opinions(n, rng, agents), alarm_rate)


SURE = np.array([[0.98, 0.01, 0.01], [0.97, 0.02, 0.01]])
TORN = np.array([[0.34, 0.33, 0.33], [0.36, 0.32, 0.32]])
SILENT = np.full((2, 3), NAN)


def test_how_many_cases_a_promise_needs():
    assert (units_needed(0.98), units_needed(0.99), units_needed(0.95)) == (49, 99, 19)


def test_doubt_is_entropy_and_nan_where_nothing_was_said():
    found = doubts(np.array([[[0.5, 0.5, 0.0], [NAN, NAN, NAN]], [[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]]))
    np.testing.assert_allclose(found, [[np.log(2), NAN], [0.0, np.log(3)]])


def test_nearness_is_hub_corrected_where_retrieval_says_so():
    assert nearness_of(evidence_at(0.55)) == 0.55
    assert nearness_of(evidence_for("rust", similarity=0.9)) == 0.9
    assert np.isnan(nearness_of(None))


def test_a_hand_worked_case():
    # Nearness 4, 3, 2, 1 and the new case's 0: the largest distance of five, z 1.2816, twice as far from the median as
    # the second largest. Its one agent's doubt is in the middle of five: 0.
    steps = [np.array([p, 1 - p]) for p in (0.9, 0.8, 0.6, 0.5)]
    panel = Familiarity.fit(np.array([4.0, 3.0, 2.0, 1.0]), np.stack(steps)[:, None], alarm_rate=0.2)
    found = panel.judge(evidence_at(0.0), np.array([[0.7, 0.3]]))
    assert found.distance_z == pytest.approx(2 * 1.28155, abs=1e-4)
    assert found.doubt_z == pytest.approx(0)
    assert (found.p_value, found.n, found.alarm) == (0.2, 4, True)
    # of the held-out cases the one at nearness 1 scores most: second of five in distance, .5244, most in doubt, 1.2816
    assert found.threshold == pytest.approx(0.5244 + 1.28155, abs=1e-4)


def test_an_unfamiliar_image_raises_the_alarm_however_sure_the_agents_are():
    found = fitted().judge(evidence_at(0.1), SURE)
    assert found.alarm
    assert found.p_value == pytest.approx(1 / 201)
    assert found.score > found.threshold
    assert found.reason.startswith("unlike the calibration images: nearest case 0.70 (distance z ")


def test_a_familiar_image_does_not():
    found = fitted().judge(evidence_at(0.81), SURE)
    assert not found.alarm
    assert found.p_value > 0.3
    assert "of the calibration images are at least as unusual: " in found.reason


def test_doubt_alone_speaks_where_there_is_no_evidence():
    panel = fitted()
    torn, sure = panel.judge(None, TORN), panel.judge(None, SURE)
    assert torn.distance_z is None
    assert torn.score == torn.doubt_z > sure.doubt_z


def test_distance_alone_speaks_where_no_agent_did():
    found = fitted().judge(evidence_at(0.1), SILENT)
    assert found.doubt_z is None
    assert found.alarm


def test_an_agent_that_abstains_is_left_out():
    panel = fitted()
    one = np.vstack([TORN[:1], SILENT[:1]])
    alone = Familiarity.fit(np.array(panel.nearness), opinions(200, np.random.default_rng(0))[:, :1])
    assert panel.judge(evidence_at(0.8), one).doubt_z > 0
    assert alone.judge(evidence_at(0.8), one[:1]).doubt_z > 0


def test_without_any_sign_nothing_is_said():
    assert fitted().judge(None, SILENT) is None
    assert Familiarity.fit(np.zeros(0), np.zeros((0, 2, 3))).judge(evidence_at(0.8), SURE) is None


def test_held_out_cases_without_evidence_or_opinions_count_as_the_middle():
    rng = np.random.default_rng(3)
    nearness, said = rng.normal(0.8, 0.05, 100), opinions(100, rng)
    nearness[:10], said[5:20, 0] = NAN, NAN
    panel = Familiarity.fit(nearness, said)
    assert panel.judge(evidence_at(0.1), SURE).alarm
    assert not panel.judge(evidence_at(0.8), SURE).alarm


def test_a_similarity_that_never_varies_leaves_it_to_doubt():
    rng = np.random.default_rng(4)
    panel = Familiarity.fit(np.zeros(200), opinions(200, rng))
    found = panel.judge(evidence_at(0.0), TORN)
    assert found.distance_z == pytest.approx(0)
    assert found.score == pytest.approx(found.doubt_z)


def test_too_few_cases_promise_nothing_and_say_so():
    few = fitted(n=48)
    found = few.judge(evidence_at(-5.0), TORN)
    assert "48 held-out cases cannot promise that at most 2% of familiar ones raise it (49 are needed)" in few.note
    assert (found.alarm, found.threshold) == (False, None)
    assert found.score > 3
    assert fitted(n=49).note == ""
    assert fitted(n=49).judge(evidence_at(-5.0), TORN).alarm


def alarms(shift=0.0, seeds=150, n=60, fresh=20, alarm_rate=0.05):
    """How many of ``fresh`` cases raise the alarm, seed by seed; skewed and tied figures on purpose."""
    counts = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        nearness = np.round(rng.gamma(2.0, 0.1, n + fresh), 2)
        nearness[n:] -= shift
        said = opinions(n + fresh, rng, sharpness=2.0)
        said[rng.random(n + fresh) < 0.1, 0] = NAN
        panel = Familiarity.fit(nearness[:n], said[:n], alarm_rate)
        counts.append(sum(panel.judge(evidence_at(v), p).alarm for v, p in zip(nearness[n:], said[n:], strict=True)))
    return np.array(counts), n, fresh, alarm_rate


def test_familiar_cases_raise_it_no_more_often_than_promised():
    counts, n, fresh, alarm_rate = alarms()
    allowed = int(alarm_rate * (n + 1))
    # without ties the count of one seed is beta-binomial: ``allowed`` of the n + 1 places lie beyond the threshold
    law = betabinom(fresh, allowed, n + 1 - allowed)
    slack = 3 * law.std() / np.sqrt(len(counts))
    assert counts.mean() <= law.mean() + slack <= alarm_rate * fresh + slack
    assert counts.mean() > law.mean() / 2  # and it does not keep its promise by keeping silent


def test_the_promise_is_about_familiar_cases_only():
    counts, _, fresh, alarm_rate = alarms(shift=0.3, seeds=30)
    assert counts.mean() > 4 * alarm_rate * fresh


def test_a_threshold_read_off_the_quantile_would_break_the_promise():
    # the negative control: the plain 95 % quantile of 19 held-out scores lets through more than 5 %
    rng = np.random.default_rng(5)
    over = [rng.normal(size=50) > np.quantile(rng.normal(size=19), 0.95) for _ in range(2000)]
    assert np.mean(over) > 0.06


def test_travels_as_json():
    rng = np.random.default_rng(6)
    nearness, said = rng.normal(size=60), opinions(60, rng)
    nearness[3], said[4, 1] = NAN, NAN
    panel = Familiarity.fit(nearness, said)
    again = Familiarity.model_validate_json(panel.model_dump_json())
    assert again == panel
    found = panel.judge(evidence_at(0.0), TORN)
    assert again.judge(evidence_at(0.0), TORN) == found
    assert Unfamiliarity.model_validate_json(found.model_dump_json()) == found
