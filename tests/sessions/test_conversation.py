"""A model that talks: through the actions only, never deciding, and with no number that nobody told it."""

from dataclasses import replace

import pytest
from kit import photo
from models_kit import wire

from doubleread.agents.vlm.vlm_options import TalkOptions
from doubleread.agents.wire.reply import completion_of
from doubleread.core.case import Case
from doubleread.core.errors import UnknownPart
from doubleread.mock_server import Fault, MockReply, running
from doubleread.mock_server.mock_reply import chat_body
from doubleread.prompts.library import Library
from doubleread.sessions._conversation import MOST_TURNS, PROMPT, Conversation, _called, _Turn, untold
from doubleread.sessions._grounding import plain_text
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.opening import open_talk
from doubleread.sessions.record import Cases, Confirm, How, Read
from doubleread.sessions.standing import CaseSeen, Standing
from doubleread.sessions.talk import answer
from doubleread.settings import load_settings


@pytest.fixture(scope="module")
def standing(panel, tmp_path_factory):
    case = Case.from_file(photo(tmp_path_factory.mktemp("seen") / "red.png", 2, seed=77_001))
    return Standing(panel, {case.id: CaseSeen(case, "red.png", (panel.diagnose(case),))}, case.id, {})


def calls(*asked):
    return MockReply(tool_calls=tuple((name, {"arguments": words}) for name, words in asked))


async def talk(text, standing, *replies):
    """What comes of the words, and what the server received."""
    with (
        running(replies, MockReply("I do not know."), ignores=("max_tokens", "max_completion_tokens")) as mock,
        wire() as on,
    ):
        options = TalkOptions(model="m", base_url=mock.base_url, attempts=1, attempt_timeout_s=30, deadline_s=60)
        answered = await Conversation(options, on, Library().get(PROMPT))(text, standing)
        return answered, [one.body for one in mock.server.requests]


def confidence(standing):
    (seen,) = standing.cases.values()
    return f"{seen.verdicts[-1].confidence:.1%}"


async def test_it_answers_from_what_a_tool_told(standing):
    words = f"The panel is at {confidence(standing)}, and the green cases are below."
    answered, bodies = await talk(
        "so, tell me a story", standing, calls(("why", ""), ("similar", "green 2")), MockReply(words)
    )
    assert plain_text(answered.reply).startswith(words)
    assert [len(block.cases) for block in answered.reply.blocks if isinstance(block, Cases)] == [2]
    assert answered.orders == ()
    told = [one["content"] for one in bodies[1]["messages"] if one["role"] == "tool"]
    assert confidence(standing) in told[0]
    assert told[1].startswith("the 2 labelled images of green")


async def test_it_is_offered_the_actions_but_none_that_says_what_is_true(standing):
    _, bodies = await talk("hmm", standing)
    names = {tool["function"]["name"] for tool in bodies[0]["tools"]}
    assert {"why", "similar", "who", "read-again"} <= names
    assert not names & {"confirm", "correct", "undo"}


async def test_a_number_that_nobody_told_is_not_shown(standing):
    answered, _ = await talk("how sure?", standing, calls(("why", "")), MockReply("I am 12.34% sure of it."))
    said = plain_text(answered.reply)
    assert "12.34" not in said
    assert confidence(standing) in said
    assert "numbers that nothing tells" in said


async def test_words_without_a_tool_are_not_shown(standing):
    answered, _ = await talk("is it contagious", standing, MockReply("Yes, very."))
    assert "Yes" not in plain_text(answered.reply)
    assert "nothing this session can tell" in plain_text(answered.reply)


async def test_it_can_have_the_image_read_again(standing):
    answered, _ = await talk(
        "perhaps once more, but not the linear one",
        standing,
        calls(("read-again", "without logistic")),
        MockReply("Reading."),
    )
    assert answered.orders == (Read(how=How(without=("logistic",))),)


@pytest.mark.parametrize("text", ["no, it's green", "/correct green"])
async def test_what_is_true_is_never_left_to_the_model(text, standing):
    answered, bodies = await talk(text, standing)
    assert answered.orders == (Confirm(label="green"),)
    assert bodies == []


async def test_a_model_that_asks_to_confirm_all_the_same_is_refused(standing):
    answered, bodies = await talk("I guess green", standing, calls(("confirm", "green")), MockReply("Confirmed."))
    assert answered.orders == ()
    assert bodies[1]["messages"][-1]["content"] == "there is no tool confirm"


async def test_arguments_that_are_no_json_are_told_to_the_model(standing):
    odd = replace(calls(("why", "")), tool_calls=(("why", ["x"]), ("why-not", {"arguments": "moss"})))
    _, bodies = await talk("tell me", standing, odd, MockReply("I do not know."))
    told = [one["content"] for one in bodies[1]["messages"] if one["role"] == "tool"]
    assert told[0] == "the arguments are no JSON object"
    assert told[1].startswith("there is no label “moss”")


@pytest.mark.parametrize(
    "arguments", ["[" * 10_000, '{"arguments": ["x"]}', "1e999", '{"arguments": NaN}', '{"a": 1, "arguments": null}']
)
async def test_arguments_of_any_shape_are_told_to_the_model(standing, arguments):
    body = chat_body(calls(("why", "")))
    body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = arguments
    turn = _Turn([])
    told = await _called(completion_of(body).tool_calls[0], standing, turn, [])
    assert told["content"] == "the arguments are no JSON object"


@pytest.mark.parametrize("words", ["9" * 5000, "\ud800 \x00", "²", "x" * 20_000, "1e999 2", "-1", "/why " * 100])
async def test_no_words_of_a_tool_call_raise(standing, words):
    asked = [(action.name, {"arguments": words}) for action in actions().for_models]
    for one in completion_of(chat_body(MockReply(tool_calls=tuple(asked)))).tool_calls:
        assert (await _called(one, standing, _Turn([]), [words]))["content"]


async def test_more_words_than_an_answer_has_are_not_shown(standing):
    answered, _ = await talk("why?", standing, calls(("why", "")), MockReply("well " * 10_000))
    assert plain_text(answered.reply).startswith("the model's answer is too long")


async def test_without_the_server_it_is_answered_without_it(standing):
    answered, _ = await talk("why?", standing, Fault("unauthorized"))
    said = plain_text(answered.reply)
    assert said.startswith("the model gave no answer (authentication)")
    assert confidence(standing) in said


async def test_a_model_that_never_ends_is_stopped(standing):
    answered, bodies = await talk("go on", standing, *[calls(("who", ""))] * 9)
    assert len(bodies) == MOST_TURNS
    assert plain_text(answered.reply).startswith("the model came to no end")


async def test_the_settings_say_who_talks(standing, settings, tmp_path):
    with open_talk(settings) as talk:
        assert talk is answer
    with pytest.raises(UnknownPart, match="model to talk with 'gpt'"), open_talk(settings, "gpt"):
        pass
    with running([calls(("why", "")), MockReply("Because.")]) as mock:
        data = settings.model_dump(mode="json")
        data["talk"] = {"mine": {"model": "m", "base_url": mock.base_url}}
        data["encoder"]["cache_dir"] = str(tmp_path)
        with open_talk(load_settings(None, data), "mine") as talk:
            assert plain_text((await talk("well then", standing)).reply).startswith("Because.")


@pytest.mark.parametrize(
    ("text", "told", "made_up"),
    [
        ("It is at 99.9%.", ["rust, at 99.9%"], ()),
        ("It is at 99.9 percent.", ["rust, at 99.9%"], ()),
        ("It is at 100%.", ["rust, at 99.9%"], ("100%",)),
        ("99.9 cases", ["rust, at 99.9%"], ("99.9",)),
        ("3 of 10", ["3 of the 10"], ()),
        ("30 of 10", ["3 of the 10"], ("30",)),
        ("1,000 cases", ["1 of 000"], ("1,000",)),
        ("none at all", [], ()),
    ],
)
def test_a_number_is_told_only_as_it_stands(text, told, made_up):
    assert untold(text, told) == made_up
