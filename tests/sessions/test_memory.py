"""What a model that talks remembers: the latest turns of the session, bounded, and none of it as a fact."""

import json
from contextlib import asynccontextmanager

import pytest
from models_kit import wire
from sessions_kit import picture

from doubleread.agents.vlm.vlm_options import TalkOptions
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.prices import TokenPrice, estimate
from doubleread.mock_server import MockReply, running
from doubleread.panel import Panel
from doubleread.prompts.library import Library
from doubleread.sessions._conversation import PROMPT, Conversation
from doubleread.sessions._grounding import LONGEST, plain_text, remembered
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import Reply as Told
from doubleread.sessions.standing import TalkTurn

PRICE = {"input": 10.0, "output": 10.0}


def calls(name, words=""):
    return MockReply(tool_calls=((name, {"arguments": words}),))


class Talking:
    """A session with one image that was read, and the model that is talked to."""

    def __init__(self, sessions, session, mock):
        self.sessions, self.session, self.mock = sessions, session, mock

    async def say(self, text):
        """The text of the reply to it."""
        await self.sessions.say(self.session, text)
        await self.sessions.settled(self.session)
        told = [event for event in await self.sessions.events(self.session) if event.kind == "reply"]
        return plain_text(Told.model_validate(told[-1].data))

    def asked(self):
        """The talk in the last request, as pairs of role and text, without the system's."""
        return [(one["role"], text_of(one)) for one in self.mock.server.requests[-1].body["messages"][1:]]


def text_of(message):
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.fixture
def talking(made, quick, tmp_path):
    """Opens the same session again and again, with a model that says what it is told to."""
    kept = {}

    @asynccontextmanager
    async def opened(*replies, budget=None, **options):
        with running(replies, otherwise=calls("who")) as mock, wire(budget=budget) as on:
            chosen = TalkOptions(model="m", base_url=mock.base_url, attempts=1, **options)
            with Panel.load(made, settings=quick) as panel:
                talk = Conversation(chosen, on, Library().get(PROMPT))
                sessions = Sessions(panel, tmp_path / "sessions", talk)
                if "session" not in kept:
                    kept["session"] = (await sessions.create()).id
                    case = await sessions.add(kept["session"], picture(tmp_path), "leaf.png")
                    await sessions.read(kept["session"], case)
                    await sessions.settled(kept["session"])
                yield Talking(sessions, kept["session"], mock)
                await sessions.close()

    return opened


async def test_the_turns_before_are_in_the_request_and_the_newest_is_last(talking):
    async with talking(calls("who"), MockReply("Nobody differs."), calls("why"), MockReply("So it is.")) as one:
        await one.say("does anybody see it otherwise, my friend")
        await one.say("/images")
        await one.say("and what about the first of them")
        asked = one.asked()
    assert asked[:2] == [("user", "does anybody see it otherwise, my friend"), ("assistant", "Nobody differs.")]
    assert asked[2] == ("user", "/images")
    assert asked[3][0] == "assistant"
    assert asked[4] == ("user", "and what about the first of them")
    assert [role for role, _ in asked[5:]] == ["assistant", "tool"]


async def test_they_are_there_after_a_restart(talking):
    async with talking(calls("who"), MockReply("Nobody differs.")) as one:
        await one.say("is there anybody against it, I wonder")
    async with talking() as one:
        await one.say("and now, my friend")
        assert one.asked()[:2] == [("user", "is there anybody against it, I wonder"), ("assistant", "Nobody differs.")]


async def test_they_are_bounded_and_the_oldest_go_first(talking):
    said = [f"tell me of number {chr(ord('a') + i)} {'x' * 200}" for i in range(4)]
    turns = [one for _ in said for one in (calls("who"), MockReply("Nobody differs."))]
    async with talking(*turns, memory=500) as one:
        for text in said:
            await one.say(text)
        requests = [json.dumps(request.body) for request in one.mock.server.requests]
    before_last = [text for text in said if text in requests[-1]]
    assert before_last == said[-3:]
    async with talking(memory=0) as one:
        await one.say("and now, my friend")
        assert one.asked()[0] == ("user", "and now, my friend")


async def test_a_number_from_a_turn_before_is_not_a_fact(talking):
    first = "does referral matter, my friend"
    async with talking(
        calls("costs", "referral=0.37"), MockReply("At 0.37 it may be."), calls("who"), MockReply("Still 0.37.")
    ) as one:
        assert "0.37" in await one.say(first)
        again = await one.say("and what was that again, my friend")
        assert ("assistant", "At 0.37 it may be.") in one.asked()
    assert "numbers that nothing tells" in again
    assert "Still 0.37" not in again


async def test_words_without_a_tool_are_not_shown_however_much_was_said_before(talking):
    async with talking(calls("who"), MockReply("Nobody differs."), MockReply("As I said, nobody differs.")) as one:
        await one.say("is there anybody against it, I wonder")
        assert "As I said" not in await one.say("could you say that once more, my friend")


async def test_what_is_remembered_is_paid_for_within_the_budget(talking):
    async with talking(calls("who"), MockReply("Nobody differs." + " So it is." * 60)) as one:
        await one.say("is there anybody against it, I wonder")
    async with talking(memory=0) as one:
        await one.say("and now, my friend")
        body = one.mock.server.requests[0].body
    alone = sum(len(text_of(message)) for message in body["messages"]) + len(json.dumps({"tools": body["tools"]}))
    enough = estimate(TokenPrice(**PRICE), alone + 100, 0, max_tokens=1)
    for memory, refused in ((0, False), (4000, True)):
        budget = Budget(enough, None)
        async with talking(budget=budget, price=PRICE, memory=memory, max_tokens=1) as one:
            told = await one.say("and now, my friend")
            assert (len(one.mock.server.requests) == 0) == refused
    assert "the model gave no answer (budget)" in told


async def test_a_hint_from_the_model_must_be_what_the_person_said(talking):
    async with talking(
        calls("read-again", "hint: the leaf shows rust"), MockReply("I cannot."), calls("who"), MockReply("Fine.")
    ) as one:
        await one.say("it has rained a lot, my friend")
        told = [text for role, text in one.asked() if role == "tool"]
        assert told == ["a hint must be the person's own words, as they were said"]
    async with talking(calls("read-again", "hint: It has rained a lot"), MockReply("I cannot.")) as one:
        await one.say("keep that in mind and look, will you")
        told = [text for role, text in one.asked() if role == "tool"]
        assert "no agent of this panel reads text" in told[0]


def turns(*pairs):
    return [TalkTurn(by, text) for by, text in pairs]


def test_who_spoke_twice_spoke_once_and_what_nobody_replied_to_is_left_out():
    earlier = turns(
        ("doubleread", "hello"),
        ("person", "a"),
        ("person", "b"),
        ("doubleread", "c"),
        ("doubleread", "d"),
        ("person", "e"),
    )
    assert remembered(earlier, 100) == turns(("person", "a\nb"), ("doubleread", "c\nd"))
    assert remembered(earlier, 5) == []
    assert remembered([], 100) == []


def test_a_long_turn_is_cut():
    found = remembered(turns(("person", "a"), ("doubleread", "x" * 5000)), 4000)
    assert [len(turn.text) for turn in found] == [1, LONGEST]
    assert found[1].text.endswith("…")
