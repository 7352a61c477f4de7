"""What people type, and what is understood of it: nothing that is not meant, and never a guess at what is true."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubleread.sessions.actions.action import Intent, NotUnderstood
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.intents import parse
from doubleread.sessions.names import Known, Names, Unclear, image_names

LABELS = ("rust", "scab", "healthy", "black-rot", "cedar apple rust")
AGENTS = ("zero-shot", "logistic", "neighbours", "texture", "discriminant")
ONE, TWO = "a" * 64, "b" * 64


def known(labels=LABELS, leading="scab", images=None, **fields):
    shown = images or {ONE: "leaf-1.jpg", TWO: "leaf-2.jpg"}
    names = Names.of("label", {name: name for name in labels})
    agents = Names.of("agent", {name: name for name in AGENTS})
    others = tuple(one for one in shown if one != ONE)
    return Known(names, agents, image_names(shown, ONE), leading, others, **fields)


KNOWN = known()


def price(of, amount, label=None, said=None):
    found = {"of": of, "label": label, "said": said, "amount": amount}
    return {"prices": ({key: value for key, value in found.items() if value is not None},)}


def without(*names, **more):
    return {"how": {"without": names, **more}}


def hint(words, **more):
    return {"how": {"hint": words, **more}}


def looking(words):
    return hint(words, look_again=True)


def asked(command, **given):
    return Intent(command=command, arguments=actions()[command].arguments(**given))


UNDERSTOOD = [
    ("/where", "where", {}),
    ("/where texture", "where", {"agents": ("texture",)}),
    ("/where rust", "where", {"label": "rust"}),
    ("/where texture black-rot", "where", {"agents": ("texture",), "label": "black-rot"}),
    ("where did the agents look?", "where", {}),
    ("Where did you look", "where", {}),
    ("what did they look at?", "where", {}),
    ("show me the heat map", "where", {}),
    ("show me where", "where", {}),
    ("where did texture look?", "where", {"agents": ("texture",)}),
    ("where is the rust seen?", "where", {"label": "rust"}),
    ("where is the scab", "where", {"label": "scab"}),
    ("where do you see scab", "where", {"label": "scab"}),
    ("where does texture see black rot?", "where", {"agents": ("texture",), "label": "black-rot"}),
    ("/why", "why", {}),
    ("why?", "why", {}),
    ("Why is that so", "why", {}),
    ("why is it not confirmed", "why", {}),
    ("why was it referred?", "why", {}),
    ("why didn't you commit", "why", {}),
    ("Explain yourself, please", "why", {}),
    ("how sure are you?", "why", {}),
    ("why scab?", "why", {"label": "scab"}),
    ("why is it scab", "why", {"label": "scab"}),
    ("is it scab?", "why", {"label": "scab"}),
    ("why rust?", "why-not", {"label": "rust"}),
    ("why not scab", "why-not", {"label": "scab"}),
    ("why isn't it rust?", "why-not", {"label": "rust"}),
    ("why is it not cedar apple rust", "why-not", {"label": "cedar apple rust"}),
    ("could it be black rot?", "why-not", {"label": "black-rot"}),
    ("what about Rust", "why-not", {"label": "rust"}),
    ("is it rust?", "why-not", {"label": "rust"}),
    ("is this not rust?", "why-not", {"label": "rust"}),
    ("/why-not rust", "why-not", {"label": "rust"}),
    ("/why-not Cedar-Apple_Rust", "why-not", {"label": "cedar apple rust"}),
    ("show me similar cases", "similar", {}),
    ("show me similar cases of scab", "similar", {"label": "scab"}),
    ("show me 5 cases of black rot", "similar", {"label": "black-rot", "count": 5}),
    ("show me the three most similar cases of rust", "similar", {"label": "rust", "count": 3}),
    ("show me rust cases", "similar", {"label": "rust"}),
    ("what does cedar apple rust look like?", "similar", {"label": "cedar apple rust"}),
    ("/similar", "similar", {}),
    ("/similar 4", "similar", {"count": 4}),
    ("/similar black rot 5", "similar", {"label": "black-rot", "count": 5}),
    ("similar scab 3", "similar", {"label": "scab", "count": 3}),
    ("/who", "who", {}),
    ("who disagrees?", "who", {}),
    ("do they all agree?", "who", {}),
    ("who said rust?", "who", {"label": "rust"}),
    ("how far can I trust the texture agent", "who", {"agents": ("texture",)}),
    ("can I trust logistic?", "who", {"agents": ("logistic",)}),
    ("what did zero shot say", "who", {"agents": ("zero-shot",)}),
    ("what about texture", "who", {"agents": ("texture",)}),
    ("how far can I trust you?", "who", {"agents": ("panel",)}),
    ("/who panel", "who", {"agents": ("panel",)}),
    ("what would change your mind?", "what-would-change", {}),
    ("what would it take", "what-would-change", {}),
    ("what would change the verdict", "what-would-change", {}),
    ("/what-would-change", "what-would-change", {}),
    ("read it again", "read-again", {}),
    ("read it again without the neighbours", "read-again", without("neighbours")),
    ("read again without texture and logistic", "read-again", without("texture", "logistic")),
    ("look again", "read-again", {"how": {"look_again": True}}),
    ("take a second look", "read-again", {"how": {"look_again": True}}),
    ("look again without texture", "read-again", without("texture", look_again=True)),
    ("read again with only logistic", "read-again", {"how": {"only": ("logistic",)}}),
    ("read it again with 25 cases", "read-again", {"how": {"k": 25}}),
    ("read it again with more cases", "read-again", {"how": {"k": 20}}),
    ("/read-again without texture, logistic k=20 look-again", "read-again",
     without("texture", "logistic", look_again=True, k=20)),
    ("/read-again hint: it was sprayed", "read-again", hint("it was sprayed")),
    ("/read-again look-again without texture HINT: only a shadow, k=2", "read-again",
     without("texture", look_again=True, hint="only a shadow, k=2")),
    ("look again, the plant was sprayed with copper", "read-again", looking("the plant was sprayed with copper")),
    ("Can you look at it again: the leaf isn't wet.", "read-again", looking("the leaf is not wet")),
    ("read it again; it has rained for weeks", "read-again", hint("it has rained for weeks")),
    ("the lens was dirty, please look again", "read-again", looking("the lens was dirty")),
    ("look again knowing that copper was used", "read-again", looking("copper was used")),
    ("look again, hint: underside", "read-again", looking("underside")),
    ("read it again with the hint that it grew in the shade", "read-again", hint("it grew in the shade")),
    ("look again, it is not rust", "read-again", looking("it is not rust")),
    ("/read-again only neighbours texture", "read-again", {"how": {"only": ("neighbours", "texture")}}),
    ("leave logistic out", "without", {"agents": ("logistic",)}),
    ("leave out the logistic agent", "without", {"agents": ("logistic",)}),
    ("what would you say without logistic?", "without", {"agents": ("logistic",)}),
    ("what if texture were silent", "without", {"agents": ("texture",)}),
    ("/without zero-shot", "without", {"agents": ("zero-shot",)}),
    ("what if a missed rust costs 5", "costs", price("missed", 5.0, "rust")),
    ("what if missing black rot cost 2,5?", "costs", price("missed", 2.5, "black-rot")),
    ("what if calling black rot cedar apple rust costs 3", "costs",
     price("mistaken", 3.0, "black-rot", "cedar apple rust")),
    ("suppose mistaking rust for scab costs .5", "costs", price("mistaken", 0.5, "rust", "scab")),
    ("what if referrals were free", "costs", price("referral", 0.0)),
    ("what if an error costs 2", "costs", price("error", 2.0)),
    ("/costs referral=0.02", "costs", price("referral", 0.02)),
    ("/costs black rot>rust = 3", "costs", price("mistaken", 3.0, "black-rot", "rust")),
    ("what if rust were twice as common", "prevalence", {"factors": {"rust": 2.0}}),
    ("what if black rot was half as common?", "prevalence", {"factors": {"black-rot": 0.5}}),
    ("what if scab were four times rarer", "prevalence", {"factors": {"scab": 0.25}}),
    ("what if rust were 30 % of cases", "prevalence", {"shares": {"rust": 0.3}}),
    ("what if 30% of the cases were rust?", "prevalence", {"shares": {"rust": 0.3}}),
    ("what if rust was 1 in 10 cases", "prevalence", {"shares": {"rust": 0.1}}),
    ("/prevalence rust=0.3 black rot=x2", "prevalence", {"shares": {"rust": 0.3}, "factors": {"black-rot": 2.0}}),
    ("it is scab", "confirm", {"label": "scab"}),
    ("yes, it's scab", "confirm", {"label": "scab"}),
    ("yes, that's right", "confirm", {"label": "scab"}),
    ("you are right", "confirm", {"label": "scab"}),
    ("/confirm", "confirm", {"label": "scab"}),
    ("/confirm rust", "confirm", {"label": "rust"}),
    ("no, it's rust", "correct", {"label": "rust"}),
    ("it is actually black rot.", "correct", {"label": "black-rot"}),
    ("the true label is cedar apple rust", "correct", {"label": "cedar apple rust"}),
    ("/correct Black Rot", "correct", {"label": "black-rot"}),
    ("take that back", "undo", {}),
    ("undo", "undo", {}),
    ("compare with the second image", "compare", {"image": TWO}),
    ("compare it to leaf-2", "compare", {"image": TWO}),
    ("compare", "compare", {"image": TWO}),
    ("/compare leaf-2.jpg", "compare", {"image": TWO}),
    ("switch to the other one", "switch", {"image": TWO}),
    ("/switch 1", "switch", {"image": ONE}),
    ("what does calibrated mean?", "glossary", {"word": "calibrated"}),
    ("what is a prediction set", "glossary", {"word": "prediction set"}),
    ("/glossary nll", "glossary", {"word": "log-loss"}),
    ("glossary", "glossary", {}),
    ("which images are there?", "images", {}),
    ("help", "help", {}),
    ("what can I say?", "help", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "command", "given"), UNDERSTOOD, ids=[text for text, *_ in UNDERSTOOD])
def test_what_is_understood(text, command, given):
    intent = parse(text, KNOWN)
    assert isinstance(intent, Intent), intent
    assert intent.heard == ()
    assert {"command": intent.command, **intent.arguments.model_dump(exclude_defaults=True)} == {
        "command": command,
        **given,
    }


MENDED = [
    ("why not rsut", "why-not", "rust"),
    ("/why-not helthy", "why-not", "healthy"),
    ("why not rot", "why-not", "black-rot"),
    ("/simlar scab", "similar", "scab"),
    ("shwo me similiar cases of scab", "similar", "scab"),
]


@pytest.mark.parametrize(("text", "command", "label"), MENDED)
def test_a_slip_that_fits_one_name_is_mended_and_said(text, command, label):
    intent = parse(text, KNOWN)
    assert isinstance(intent, Intent), intent
    assert (intent.command, intent.arguments.label) == (command, label)
    assert intent.heard


NOTHING_CONFIRMED = [
    "this is not rust",
    "it isn't scab",
    "it is not scab, is it",
    "no, it's not rust",
    "yes",
    "no",
    "ok",
    "right",
    "correct",
    "that's wrong",
    "it is scab?",
    "is that right?",
    "that's right?",
    "confirm scab?",
    "it is rsut",
    "/correct rsut",
    "/confirm scba",
    "/correct",
    "/confrim",
    "confrim",
    "/undoo",
    "it is rust or scab",
    "it is scab, not rust",
    "I think it is rust",
    "maybe it is scab",
    "if it is rust",
    "don't confirm scab",
    "do not confirm",
    "never confirm that",
    "yes, it is rust",
    "no, it's scab",
    "rust",
    "it is rot",
    "it is apple rust",
    "that is not right",
    "you are not right",
    "I do not agree",
    "why confirm it",
    "why is it confirmed",
    "what if it is rust",
    "show me what it is",
    "/help confirm",
    "don't undo that",
    "confirm nothing",
    "it is",
    "",
    "   ",
    "/",
    "?!",
]


@pytest.mark.parametrize("text", NOTHING_CONFIRMED)
def test_what_must_not_confirm_correct_or_undo_anything(text):
    intent = parse(text, KNOWN)
    assert isinstance(intent, NotUnderstood) or intent.command not in ("confirm", "correct", "undo"), intent


def test_a_yes_that_is_a_label_confirms_nothing():
    sides = known(("left", "right"), "left")
    assert isinstance(parse("that's right", sides), NotUnderstood)
    assert parse("/correct right", sides) == asked("correct", label="right")
    assert isinstance(parse("no", known(("yes", "no"), "yes")), NotUnderstood)


def test_a_label_that_denies_another_is_taken_only_from_a_command():
    odd = known(("rust", "not rust"), "rust")
    assert isinstance(parse("this is not rust", odd), NotUnderstood)
    assert parse("/correct not rust", odd) == asked("correct", label="not rust")


def test_a_label_that_ends_in_a_number_is_not_taken_apart():
    grades = known(("grade 1", "grade 2"), "grade 1")
    assert parse("/similar grade 1", grades) == asked("similar", label="grade 1")
    assert parse("/similar grade 1 4", grades) == asked("similar", label="grade 1", count=4)
    assert parse("it is grade 2", grades) == asked("correct", label="grade 2")


def test_what_fits_two_names_is_asked_back():
    rots = known(("black-rot", "bitter-rot", "healthy"), "healthy")
    told = parse("why not rot", rots)
    assert isinstance(told, NotUnderstood)
    assert "more than one label: black-rot, bitter-rot" in told.problem
    twins = known(images={ONE: "leaf.jpg", TWO: "leaf.jpg"})
    assert isinstance(parse("/switch leaf.jpg", twins), NotUnderstood)
    assert parse("/switch image 2", twins) == asked("switch", image=TWO)


def test_labels_that_differ_in_case_only_are_told_apart():
    cases = known(("Rust", "rust"), "Rust")
    assert parse("/why-not rust", cases) == asked("why-not", label="rust")
    assert isinstance(parse("/why-not RUST", cases), NotUnderstood)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("/costs rust=1,000", "two ways"),
        ("/costs rust", "NAME=NUMBER"),
        ("/costs moss=2", "there is no label “moss”"),
        ("/prevalence rust=30", "between 0 and 1"),
        ("/prevalence rust=0", "between 0 and 1"),
        ("what if rust were 1 in 0 cases", "between 0 and 1"),
        ("/similar scab 0", "whole number"),
        ("/read-again k=0", "whole number"),
        ("/read-again without", "without whom"),
        ("/read-again without moss", "there is no agent “moss”"),
        ("/read-again only texture without texture", "cannot be left out and be the one"),
        ("/read-again hint:", "which hint"),
        (f"/read-again hint: {'x' * 401}", "at most 400 characters"),
        ("look again, carefully", "may be a hint or not"),
        ("look again, the other side", "may be a hint or not"),
        ("look again, it's rust", "says something by itself"),
        ("look again, then foo is", "may be a hint or not"),
        ("look again, show similar cases", "says something by itself"),
        ("look again, without moss", "there is no agent “moss”"),
        ("look again, the plant was sprayed?", "not understood"),
        ("look again, " * 30 + "look again", "may be a hint or not"),
        ("/why rust", "takes nothing"),
        ("/nonsense", "there is no command /nonsense"),
        ("/compare leaf-9.png", "image"),
        ("what is the weather like", "not understood"),
        ("x" * 501, "too long"),
    ],
)
def test_what_is_not_understood_is_told_with_what_can_be_said(text, problem):
    told = parse(text, KNOWN)
    assert isinstance(told, NotUnderstood), told
    assert problem in told.problem
    assert told.suggestions
    assert all(one.startswith("/") for one in told.suggestions)


PIECES = (
    "why",
    "not",
    "is",
    "it",
    "rust",
    "black",
    "rot",
    "what if",
    "costs",
    "5",
    "30 %",
    "=",
    ">",
    "/costs",
    "k=",
    "\n",
    "？",
)
WORDS = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=12).map(" ".join)


@given(st.text() | WORDS)
def test_no_text_is_too_much(text):
    assert isinstance(parse(text, KNOWN), Intent | NotUnderstood)
    assert isinstance(parse(text, known((), None, {})), Intent | NotUnderstood)


@given(st.text(max_size=20))
def test_a_name_is_found_or_asked_back(text):
    with suppress(Unclear):
        assert KNOWN.labels.find(text, []) in LABELS


def test_a_sign_is_part_of_a_label():
    names = Names.of("label", {name: name for name in ("HER2-", "HER2+", "black-rot")})
    heard = []
    assert names.exact("her2-") == "HER2-"
    assert names.exact("HER2\u2212") == "HER2-"
    assert names.find("her2+", heard) == "HER2+"
    assert names.find("Black rot", heard) == "black-rot"
    assert names.exact("HER2") is None
    with pytest.raises(Unclear):
        names.find("HER2", heard)
    assert heard == []
