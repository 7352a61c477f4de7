"""What a stress test counts, on a panel that only measures brightness."""

import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from reports_kit import words_of
from stress_kit import LightMeter, light_cases

from doubleread.core.errors import DataError, RunError, UnknownPart
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Abstention
from doubleread.core.task import Costs, Task
from doubleread.core.verdict import Decision, Unread
from doubleread.evals.datasets import LabelledCases
from doubleread.evals.drawings import robustness_grid
from doubleread.evals.stress import Condition, MeasuredFigure, Promise, stress_panel
from doubleread.evals.stress._panel_stress import promised
from doubleread.evals.stress._stress_figures import distribution
from doubleread.evals.stress.stress_wording import verdict
from doubleread.settings import load_settings


@pytest.fixture
def light(tmp_path):
    return LabelledCases(name="light", cases=light_cases(tmp_path / "light", 12))


def of(found, corruption, severity):
    return next(one for one in found.of(corruption) if one.severity == severity)


def test_more_light_makes_the_dark_look_bright(light):
    found = stress_panel(LightMeter(), light, corruptions=["brightness", "jpeg"], severities=[1, 5])
    assert (found.n, found.groups, found.readings) == (12, 6, 12 * 5)
    assert found.clean.figures["accuracy"].value == 1
    assert found.clean.figures["nll"].value == pytest.approx(0.1054, abs=1e-4)
    slight, severe = of(found, "brightness", 1), of(found, "brightness", 5)
    assert slight.figures["risk"].value == 0
    assert severe.figures["risk"].model_dump() == pytest.approx({"value": 0.5, "low": 0.5, "high": 0.5, "n": 12})
    assert severe.figures["coverage"].value == severe.figures["accuracy"].value == 0.5
    assert severe.figures["alarm"].value == 0.5
    assert of(found, "jpeg", 5).figures["accuracy"].value == 1
    both = found.overall[1]
    assert (both.severity, both.n) == (5, 24)
    assert both.figures["accuracy"].value == 0.75
    assert found.promise == Promise(risk=0.2, why="a referral costs 0.2 and an error 1")
    assert "stays within" in found.verdict[0]
    assert "first exceeded with brightness at severity 5: 50 % of the committed answers are wrong" in found.verdict[2]


def test_intervals_are_over_whole_groups_and_never_claim_certainty(light):
    def odd(case, light):
        return {"decision": Decision(action="refer")} if int(case.group[1:]) < 3 else {}

    found = stress_panel(LightMeter(odd=odd), light, corruptions=["jpeg"], severities=[1])
    referred = of(found, "jpeg", 1).figures["referred"]
    assert referred.value == 0.5
    assert referred.high - referred.low > 0.5  # 6 groups, not 12 images
    assert found.warnings[-1] == "6 groups: with fewer than 20 the intervals are too narrow"
    risk = of(found, "jpeg", 1).figures["risk"]
    assert (risk.n, risk.value, risk.low) == (6, 0, 0)
    assert risk.high > 0.3
    assert of(found, "jpeg", 1).risk is None  # fewer than ten commitments


def test_what_is_left_out_is_counted(light, tmp_path):
    broken = tmp_path / "light" / "00.png"
    broken.write_bytes(b"not an image")

    def odd(case, light):
        if case.group == "g1":
            near = Neighbour(case_id="1" * 64, label="dark", similarity=1.0)
            return {"evidence": Evidence(neighbours=(), near_copies=(near,))}
        if case.group == "g2" and light > 0.9:
            return Unread(source="memory", code="failure", problem="too bright")
        return {}

    panel = LightMeter(odd=odd, learned=[light.cases[1].id])
    strange = light.cases[-1].model_copy(update={"label": "purple"})
    data = light.model_copy(update={"cases": (*light.cases[:-1], strange)})
    found = stress_panel(panel, data, corruptions=["brightness", "background"], severities=[5])
    assert found.n == 12 - 1 - 1 - 2 - 1
    assert of(found, "brightness", 5).n == found.n - 1
    assert of(found, "brightness", 5).failed == 1
    assert [one.corruption for one in found.conditions] == ["brightness"]
    notes = "\n".join((*found.notes, *found.warnings))
    for told in (
        "1 image left out: its label is none of the panel's task",
        "1 cases left out: the panel has learned from these images",
        "1 image could not be opened, such as",
        "2 images left out: the archive holds nearly the same picture",
        "1 corrupted picture could not be read",
        f"background: not applied to {found.n} images, whose background is not known",
    ):
        assert told in notes


def test_silence_counts_as_wrong_and_as_uniform(light):
    silent = {"posterior": {}, "prediction_set": (), "coverage": None, "decision": Decision(action="refer")}
    found = stress_panel(LightMeter(odd=lambda case, light: silent), light, corruptions=["jpeg"], severities=[1])
    one = of(found, "jpeg", 1)
    assert one.silent == 12
    assert one.figures["accuracy"].value == 0
    assert one.figures["nll"].value == pytest.approx(0.6931, abs=1e-4)
    assert not {"coverage", "risk"} & set(one.figures)
    assert "in 12 readings no agent answered" in "\n".join(found.warnings)


def test_scores_go_before_the_posterior():
    assert distribution(SimpleNamespace(scores={"a": 1.0}, posterior={})) == {"a": 1.0}
    assert distribution(SimpleNamespace(posterior={"b": 1.0})) == {"b": 1.0}


def test_a_spent_budget_ends_it(light):
    spent = {"abstentions": (Abstention(agent="gpt", cause="budget"),)}
    with pytest.raises(RunError, match="budget for models is spent after 0 readings"):
        stress_panel(LightMeter(odd=lambda case, light: spent), light, corruptions=["jpeg"])


def test_what_cannot_be_is_refused(light):
    with pytest.raises(UnknownPart, match="corruption"):
        stress_panel(LightMeter(), light, corruptions=["rain"])
    with pytest.raises(DataError, match="severities are 1 to 5, not 0, 6"):
        stress_panel(LightMeter(), light, severities=[0, 6])
    with pytest.raises(DataError, match=r"no picture could be corrupted.*background is not known"):
        stress_panel(LightMeter(), light, corruptions=["background"])
    with pytest.raises(DataError, match="there is no image to judge the panel on"):
        stress_panel(LightMeter(learned=[case.id for case in light.cases]), light)
    unlabelled = light.model_copy(update={"cases": tuple(c.model_copy(update={"label": None}) for c in light.cases)})
    with pytest.raises(DataError, match="no image has a label of the panel's task"):
        stress_panel(LightMeter(), unlabelled)


def test_fewer_images_are_taken_evenly(light):
    found = stress_panel(LightMeter(), light, corruptions=["jpeg"], severities=[1], limit=4)
    assert found.n == 4
    assert "4 cases, taken evenly" in found.notes


# -- what it promises, and what is said of it -----------------------------------------------------------------------


def test_the_promise_is_what_was_asked_for_or_what_costs_imply():
    def panel(costs, **trust):
        task = Task.of("ab", ["a", "b"]).model_copy(update={"costs": costs})
        return SimpleNamespace(settings=load_settings(None, {"trust": trust}), task=task)

    assert promised(panel(Costs(), max_risk=0.05)) == Promise(risk=0.05, why="trust.max_risk is 0.05")
    assert promised(panel(Costs(referral=0.1, error=2))).risk == 0.05
    assert promised(panel(Costs(referral=0.1, matrix={"a": {"b": 5}}))).risk == 0.1  # the cheaper error
    assert promised(panel(Costs(referral=0.1, matrix={"a": {"b": 5}, "b": {"a": 0.5}}))).risk == 0.2
    assert promised(panel(Costs(referral=3))).risk == 1


def condition(corruption, severity, risk, n=50):
    measured = {
        name: MeasuredFigure(value=value, low=value, high=value, n=n)
        for name, value in (("accuracy", 1 - risk), ("risk", risk), ("referred", 0.3), ("alarm", 0.25))
    }
    return Condition(corruption=corruption, severity=severity, n=n, figures=measured)


def said(*conditions, clean=0.02):
    promise = Promise(risk=0.2, why="so")
    return verdict(promise, condition("clean", 0, clean), conditions, [condition("all", 5, 0.4)])


def test_the_first_sentence_answers():
    fog, snow, jpeg = condition("fog", 3, 0.1), condition("snow", 5, 0.45), condition("jpeg", 5, 0.3)
    kept = said(fog, snow, jpeg)
    assert kept[0].startswith(
        "Up to severity 3, the panel stays within its error limit of 20 %: in the worst condition, fog at severity 3"
    )
    assert kept[0].endswith("10 % of its committed answers are wrong.")
    assert kept[1] == "The 95 % interval of this share is 10–10 %, n = 50. The limit follows from this: so."
    assert kept[2].startswith("The limit is first exceeded with snow at severity 5: 45 % of the committed answers")
    assert "It is also exceeded, at this severity or above, with jpeg." in kept[2]
    assert kept[3] == (
        "At severity 5, over all corruptions, accuracy is 60 % and 30 % of the images are referred; 25 % are "
        "recognised as unfamiliar (clean images: 25 %)."
    )
    broken = said(condition("fog", 1, 0.3), snow)
    assert "exceeds its error limit of 20 %: in the worst condition, fog at severity 1, 30 %" in broken[0]
    assert said(fog)[2] == "In no condition are more than 20 % of the committed answers wrong."


def test_a_handful_of_commitments_says_nothing():
    few = condition("fog", 3, 1.0, n=9)
    told = "Up to severity 3, the panel commits on fewer than 10 images in every condition: too few to judge."
    assert said(few)[0] == told
    assert said(few)[1].startswith("At severity 5")
    assert (
        "In 1 of 2 conditions it commits on fewer than 10 images, too few to judge."
        in said(few, condition("snow", 3, 0.1))[2]
    )


# -- what is written -----------------------------------------------------------------------------------------------


def test_the_page_stands_alone_and_holds_every_condition(light, tmp_path):
    named = light.model_copy(update={"name": "<b>light</b>"})
    out = tmp_path / "out"
    stress_panel(LightMeter(), named, corruptions=["brightness", "jpeg"], severities=[1, 5], out=out)
    page = (out / "stress.html").read_text(encoding="utf-8")
    assert "<b>light</b>" not in page
    assert page.count("data:image/jpeg;base64,") == 2 * 3
    assert not re.search(r"(src|href)=\"(?!data:|#)", page.replace('xmlns="http', ""))
    assert {"word-agent", "word-group", "word-decision", "word-prediction-set"} <= words_of(page)
    assert "▲" in page
    written = json.loads((tmp_path / "out" / "stress.json").read_text(encoding="utf-8"))
    assert "examples" not in written
    assert written["conditions"][1]["figures"]["risk"]["n"] == 12
    words = [e.text for e in ET.fromstring((tmp_path / "out" / "stress.svg").read_text(encoding="utf-8")).iter()]
    assert {"brightness", "jpeg", "wrong among committed", "error limit (20 %)"} <= set(words)
    assert any(word and word.startswith("wrong among committed, severity 5: 50 %") for word in words)


def test_nothing_cannot_be_drawn():
    with pytest.raises(DataError, match="at least one corruption"):
        robustness_grid([], title="", about="", promise=0.2, banded="")
