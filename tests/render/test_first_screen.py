"""The first screen of a verdict: what it says in each situation, with few technical words, all in the glossary."""

import re

import pytest
from kit import case_of, evidence_for, opinion
from rich.console import Console

from benchmarks import jargon
from doubleread.core.opinion import Abstention
from doubleread.core.verdict import AgentChange, Decision, SecondLook, Track, Unfamiliarity, Verdict
from doubleread.core.verdict_wording import first_screen, headline, named, sure, todo_line, track_line
from doubleread.render.html import verdict_html
from doubleread.render.shown import ShownVerdict
from doubleread.render.terminal_card import BARS, verdict_card, verdict_details

MOST = 5
"""Kinds of jargon on a first screen."""


def screen(**fields):
    parts = {
        "case": case_of("leaf"),
        "task": "leaves",
        "posterior": {"healthy": 0.001, "rust": 0.998, "scab": 0.001},
        "prediction_set": ("rust",),
        "coverage": 0.9,
        "decision": Decision(action="commit", label="rust", reasons=("rust at 99.8%: expected cost 0.002",)),
        "track": Track(n=50, right=50, low=0.93, high=1.0),
        "opinions": tuple(opinion(name, 0.05, 0.9, 0.05) for name in ("logistic", "prototype", "neighbours", "clip")),
        "evidence": evidence_for("rust"),
    }
    return ShownVerdict.of(Verdict.model_validate({**parts, **fields}))


REFER = {
    "posterior": {"healthy": 0.05, "rust": 0.62, "scab": 0.33},
    "prediction_set": ("rust", "scab"),
    "decision": Decision(action="refer", reasons=("expected cost 0.38, a referral costs 0.2",)),
    "opinions": (
        opinion("logistic", 0.05, 0.9, 0.05),
        opinion("prototype", 0.1, 0.8, 0.1),
        opinion("clip", 0.1, 0.2, 0.7),
    ),
}
ALARM = Unfamiliarity(score=5, threshold=3, p_value=0.01, n=300, alarm=True, reason="distance z 5.1")
UNFAMILIAR = {
    "posterior": {},
    "leaning": {"healthy": 0.05, "rust": 0.9, "scab": 0.05},
    "prediction_set": (),
    "coverage": None,
    "track": None,
    "familiarity": ALARM,
    "decision": Decision(action="refer", reasons=("distance z 5.1",)),
    "warnings": ("distance z 5.1",),
}
LOOKED = {
    "second_look": SecondLook(
        reasons=("disagreement",),
        rounds=2,
        before={"healthy": 0.1, "rust": 0.3, "scab": 0.6},
        changes=(AgentChange(agent="clip", before="scab", after="rust"),),
    )
}
DEGRADED = {
    "opinions": (opinion("logistic", 0.05, 0.9, 0.05), opinion("clip", 0.05, 0.9, 0.05)),
    "abstentions": (Abstention(agent="gpt", cause="timeout", detail="timeout after 60 s"),),
    "warnings": ("gpt gave no answer, so the panel is incomplete",),
    "spared": ("qwen",),
}
NOBODY = {
    **{key: {} for key in ("posterior", "influence")},
    "track": None, "coverage": None, "evidence": None, "opinions": (),
    "decision": Decision(action="refer", reasons=("no agent gave a usable answer",)),
    "abstentions": (Abstention(agent="gpt", cause="timeout"),),
}  # fmt: skip
NO_FIT = {"prediction_set": ()}
DEAR = {"decision": Decision(action="commit", label="scab", reasons=("costs",)), "posterior": REFER["posterior"]}
SCREENS = {
    "commit": {}, "refer": REFER, "unfamiliar": UNFAMILIAR, "second look": LOOKED, "degraded": DEGRADED,
    "no answer": NOBODY, "no fitting label": NO_FIT, "costs decide": DEAR,
}  # fmt: skip


def shown(verdict):
    """The words of the terminal card, on one line."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", str(verdict)).split())


def first_part(verdict):
    """The visible words of the HTML card above its details."""
    html = verdict_html(verdict, styled=False).partition("<details")[0]
    return " ".join(re.sub("<[^>]*>", " ", html).split())


@pytest.mark.parametrize("name", SCREENS)
def test_a_first_screen_uses_few_technical_words_and_the_glossary_has_each(name):
    verdict = screen(**SCREENS[name])
    for text in (str(verdict), first_part(verdict), "\n".join(first_screen(verdict))):
        found = jargon.kinds([text])
        assert len(found) <= MOST, found
        assert not [kind for kind in found if jargon.explanation(kind) is None]


def test_the_list_of_jargon_is_long_enough_to_mean_something():
    assert len(jargon.JARGON) >= 60
    assert jargon.kinds(["conformal p-values of the logistic agent"]) == ("agent", "p-value", "conformal", "logistic")


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("commit", ("✓ rust, 99.8% sure", "right on 50 of 50 calibration images", "(93–100%)", "all 4 agents say rust",
                    "the 5 most similar labelled images are rust", "What to do: accept it.")),
        ("refer", ("⚑ Have a person look: probably rust, 62.0% sure", "2 of 3 agents say rust; clip says scab",
                   "have a person look at it: rust and scab cannot be ruled out")),
        ("unfamiliar", ("⚑ Have a person look: this image is unlike the calibration images", "looks most like rust")),
        ("second look", ("Second look: it changed the verdict from scab (60.0%) to rust (99.8%)", "was 60.0%")),
        ("degraded", ("both agents that answered say rust", "! gpt gave no answer: timeout after 60 s", "qwen")),
        ("no answer", ("⚑ Have a person look: no agent gave an answer", "! gpt gave no answer: timeout")),
        ("no fitting label", ("! no label fits this image well", "make sure that it shows what it should")),
        ("costs decide", ("treat it as scab (33.0%): rust (62.0%) is likelier, but errors would cost more",)),
    ],
)  # fmt: skip
def test_each_situation_looks_like_what_it_is_in_a_terminal_and_on_a_page(name, texts):
    verdict = screen(**SCREENS[name])
    card, html = shown(verdict), first_part(verdict)
    for text in texts:
        assert text in card
        assert text in html or text.startswith("was "), html


def test_an_unfamiliar_image_shows_no_number():
    for text in (str(screen(**UNFAMILIAR)), first_part(screen(**UNFAMILIAR)), screen(**UNFAMILIAR).details):
        assert "%" not in text
    assert track_line(screen(**UNFAMILIAR)) == ""


def test_a_missing_answer_is_said_once():
    assert shown(screen(**DEGRADED)).count("gpt") == 1


def test_an_agent_that_never_answers_with_this_encoder_is_named_in_the_details_only():
    never = Abstention(agent="zero-shot", cause="no-text-encoder", detail="a CLIP encoder is needed")
    verdict = screen(abstentions=(never,))
    assert "all 4 agents say rust" in shown(verdict)
    assert "zero-shot" not in shown(verdict) + first_part(verdict)
    assert "zero-shot" in verdict.details
    assert "a CLIP encoder is needed" in verdict_html(verdict, styled=False)


def test_details_leave_out_lines_that_are_shown_besides():
    line = "prediction set at 90% (labels that cannot be ruled out): rust"
    console = Console(width=100)
    with console.capture() as seen:
        console.print(verdict_details(screen(), besides=(line,)))
    assert line not in seen.get()
    assert line in screen().details


def test_no_probability_below_one_is_called_100_percent():
    assert [sure(p) for p in (1, 0.9999, 0.998)] == ["100.0% sure", "over 99.9% sure", "99.8% sure"]


def test_an_unlikely_favourite_is_not_called_probable():
    low = screen(**{**REFER, "posterior": {"healthy": 0.3, "rust": 0.4, "scab": 0.3}})
    assert headline(low) == "Have a person look: perhaps rust, 40.0% sure"


def test_a_referral_gives_a_reason_if_only_one_label_is_left():
    alone = {**REFER, "prediction_set": ("rust",)}
    assert todo_line(screen(**alone)).endswith("an error may cost more than a look")
    assert "an answer is missing" in todo_line(screen(**{**alone, "abstentions": DEGRADED["abstentions"]}))


def test_many_labels_and_names_are_counted():
    many = {f"label-{i}": p for i, p in enumerate([0.9, *[0.01] * 10])}
    told = screen(posterior=many, decision=Decision(action="commit", label="label-0", reasons=("so",)))
    assert str(told).count("█") > 0
    assert f"{11 - BARS} more labels, together 6.0%" in shown(told)
    assert f"{11 - BARS} more labels, together 6.0%" in first_part(told)
    assert "label-10" in told.details
    assert named("abcdef") == "a, b, c and 3 others"
    assert [named(names) for names in ("", "a", "ab")] == ["", "a", "a and b"]


def test_a_card_fits_sixty_columns():
    console = Console(width=60, record=True)
    with console.capture() as seen:
        console.print(verdict_card(screen(**REFER)))
    assert max(map(len, seen.get().splitlines())) <= 60
