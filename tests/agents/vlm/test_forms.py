"""What models write, and what is read from it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models_kit import LEAVES

from doubleread.agents.vlm._answer_json import answer_object
from doubleread.agents.vlm._forms import FORMS, ChoiceForm, DistributionForm, LetterForm, NumberForm
from doubleread.agents.vlm._parsing import matching
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.request import Alternative, Completion

ORDER = ("scab", "healthy", "rust")
GOOD = {"findings": "orange  spots", "probabilities": {"rust": 0.7, "scab": 0.2, "healthy": 0.1}, "label": "rust"}


def read(form, text="", **fields):
    return form().read(Completion(text=text, **fields), LEAVES, ORDER)


def tokens(*rows):
    return tuple(tuple(Alternative(token=t, logprob=math.log(p)) for t, p in row) for row in rows)


def test_the_schema_asks_for_evidence_before_numbers_and_numbers_before_the_label():
    schema = DistributionForm().fields(LEAVES, ORDER)["answer_schema"]
    assert list(schema["properties"]) == schema["required"] == ["findings", "probabilities", "label"]
    shares = schema["properties"]["probabilities"]
    assert list(shares["properties"]) == shares["required"] == list(ORDER)
    assert shares["additionalProperties"] is schema["additionalProperties"] is False
    assert schema["properties"]["label"]["enum"] == list(ORDER)


@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "```json\n{}\n```",
        '<think>maybe {{scab}}: {{"a": 1}}</think> Here it is: {} I hope this helps {{really}}.',
        "Let me see. {}",
    ],
)
def test_json_is_found_whatever_stands_around_it(wrapped):
    reading = read(DistributionForm, wrapped.replace("{}", json.dumps(GOOD)).replace("{{", "{").replace("}}", "}"))
    assert reading.label == "rust"
    assert reading.vector.tolist() == pytest.approx([0.1, 0.7, 0.2])
    assert reading.findings == "orange spots"
    assert reading.notes == ()


@pytest.mark.parametrize(
    ("probabilities", "vector"),
    [
        ({"rust": 70, "scab": 20, "healthy": 10}, [0.1, 0.7, 0.2]),
        ({"Rust": "70%", "SCAB": "20 %", "healthy": "0.1"}, [0.1, 0.7, 0.2]),
        ({"rust": 1.4, "scab": 0.4, "healthy": 0.2}, [0.1, 0.7, 0.2]),
        ({"rust": 1, "scab": 0, "healthy": 0}, [0, 1, 0]),
    ],
)
def test_numbers_are_understood_as_they_were_meant(probabilities, vector):
    reading = read(DistributionForm, json.dumps({**GOOD, "probabilities": probabilities}))
    assert reading.vector.tolist() == pytest.approx(vector)


def test_findings_can_do_nothing_to_a_terminal():
    reading = read(DistributionForm, json.dumps({**GOOD, "findings": "red\x1b[2J\x07\u202e\nspots"}))
    assert reading.findings == "red [2J spots"


def test_what_is_odd_is_noted_and_the_numbers_decide():
    odd = {**GOOD, "probabilities": {"rust": 0.2, "scab": 0.9, "healthy": 0.2}}
    reading = read(DistributionForm, json.dumps(odd))
    assert reading.label == "scab"
    assert reading.notes == (
        "stated probabilities summed to 1.3",
        "named rust, but gave scab the highest probability",
    )


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("I would say rust.", "no JSON object"),
        ('{"findings": "x"', "no JSON object"),
        (json.dumps([1, 2]), "no JSON object"),
        (json.dumps({**GOOD, "probabilities": {"rust": 1.0}}), "no probability for healthy, scab"),
        (json.dumps({**GOOD, "probabilities": {"rust": 1, "scab": 0, "healthy": 0, "zebra": 0}}), "'zebra' is none"),
        (json.dumps({**GOOD, "probabilities": {"rust": -1, "scab": 1, "healthy": 1}}), "-1 is no probability"),
        (json.dumps({**GOOD, "probabilities": {"rust": True, "scab": 0, "healthy": 0}}), "True is no probability"),
        (json.dumps({**GOOD, "probabilities": {"rust": None, "scab": 0, "healthy": 0}}), "None is no probability"),
        (json.dumps({**GOOD, "probabilities": {"rust": 0, "scab": 0, "healthy": 0}}), "all probabilities are 0"),
        (json.dumps({**GOOD, "probabilities": {"rust": 1, "Rust": 0, "scab": 0, "healthy": 0}}), "two probabilities"),
        (json.dumps({**GOOD, "probabilities": [0.1, 0.9]}), "no `probabilities` object"),
        (json.dumps({**GOOD, "label": "zebra"}), "'zebra' is none of the labels"),
        ('{"probabilities": {"rust": NaN, "scab": 1, "healthy": 0}}', "NaN is no number"),
        ('{"probabilities": {"rust": 1, "rust": 0, "scab": 0, "healthy": 0}}', "a key stands twice"),
        ('{"a": ' * 10_000, "no JSON object"),
        ('{"a": ' * 100_000, "600,000 characters; at most 100,000 are read"),
        (json.dumps({**GOOD, "probabilities": {"rust": 1e308, "scab": 1e308, "healthy": 0}}), "1e.308 is no prob"),
        (json.dumps({**GOOD, "probabilities": {"rust": 10**29, "scab": 1, "healthy": 0}}), "is no probability"),
        ('{"probabilities": {"rust": 1e999, "scab": 1, "healthy": 0}}', "inf is no probability"),
        ('{"probabilities": {"rust": %s, "scab": 1, "healthy": 0}}' % ("9" * 400), "is no probability"),
        ('{"probabilities": {"rust": "1e999", "scab": 1, "healthy": 0}}', "'1e999' is no probability"),
        (json.dumps({**GOOD, "probabilities": {"rust": [[]], "scab": 1, "healthy": 0}}), "a JSON list is no prob"),
        (json.dumps({**GOOD, "label": {"rust": 1}}), "'' is none of the labels"),
    ],
)
def test_what_cannot_be_meant_is_refused(answer, fault):
    with pytest.raises(CallFault, match=fault) as caught:
        read(DistributionForm, answer)
    assert caught.value.cause == "invalid-answer"


@given(st.text())
def test_any_text_at_all_is_a_reading_or_a_fault(text):
    for form in (DistributionForm, NumberForm):
        with pytest.raises(CallFault):
            read(form, text)


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), min_size=1), st.text(alphabet=" \nabc.:`"))
def test_an_object_survives_any_prose_around_it(found, prose):
    assert answer_object(prose + json.dumps(found) + prose, found.__eq__) == found


def test_one_number_belongs_to_the_label_that_was_named():
    reading = read(NumberForm, json.dumps({"findings": "f", "label": "Scab", "confidence": 0.8}))
    assert (reading.label, reading.confidence, reading.vector) == ("scab", 0.8, None)
    with pytest.raises(CallFault, match="above 1"):
        read(NumberForm, json.dumps({"label": "scab", "confidence": 80}))


def test_letters_are_summed_over_their_spellings_and_the_captured_mass_is_kept():
    said = tokens([("B", 0.5), (" B", 0.1), ("b", 0.1), ("A", 0.15), ("C", 0.05), ("The", 0.1)])
    reading = read(LetterForm, "B", tokens=said)
    assert reading.captured_mass == pytest.approx(0.9)
    assert reading.label == "healthy"  # B is the second in this call's order
    assert reading.vector.tolist() == pytest.approx([0.7 / 0.9, 0.05 / 0.9, 0.15 / 0.9])


def test_the_letter_is_found_behind_what_is_said_before_it():
    reading = read(LetterForm, "\n(C)", tokens=tokens([("\n", 0.9), ("A", 0.1)], [(" (C)", 0.8), ("A", 0.2)]))
    assert reading.label == "rust"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ((), "no token probabilities"),
        (tokens([("The", 0.9), ("A", 0.1)], [("leaf", 1.0)]), "no letter of A, B, C"),
        (tokens([("A", 0.3), ("x", 0.25), ("y", 0.25), ("z", 0.2)]), "only 30% of the probability"),
    ],
)
def test_letters_that_say_nothing_are_refused(said, fault):
    with pytest.raises(CallFault, match=fault):
        read(LetterForm, "A", tokens=said)


def test_class_probabilities_are_taken_as_they_are():
    reading = read(ChoiceForm, probabilities={"rust": 0.6, "scab": 0.3, "healthy": 0.1})
    assert reading.vector.tolist() == pytest.approx([0.1, 0.6, 0.3])
    with pytest.raises(CallFault, match="no probability for"):
        read(ChoiceForm, probabilities={"rust": 1.0})


def test_every_kind_of_confidence_has_a_form_of_its_own_source():
    sources = {kind: form().source for kind, form in FORMS.items()}
    assert sources.pop("consistency") == "verbalized-distribution"
    assert all(kind == source for kind, source in sources.items())


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("HER2-", "HER2-"),
        ("her2\u2212", "HER2-"),
        ("HER2 +", "HER2+"),
        ("**HER2+**", "HER2+"),
        ("`HER2-`.", "HER2-"),
        ('"Black rot."', "black_rot"),
        ("__black-rot__", "black_rot"),
        ("Fa\u0308ule", "Fäule"),
    ],
)
def test_a_label_is_matched_by_its_signs_and_letters(said, label):
    assert matching(said, ["HER2-", "HER2+", "black_rot", "Fäule"]) == label


@pytest.mark.parametrize("said", ["HER2", "HER2?", "HER", "Faule", "black", "", "**", "HER2+/-"])
def test_a_text_that_may_mean_two_labels_or_none_is_refused(said):
    with pytest.raises(CallFault, match="none of the labels"):
        matching(said, ["HER2-", "HER2+", "black_rot", "Fäule"])
