"""The answer cache: nothing is asked twice, nothing that failed is kept, and a bad file is no accident."""

import asyncio

import pytest

from doubleread.agents.wire.answers import AnswerCache, key_of
from doubleread.agents.wire.request import Completion
from doubleread.core.opinion import Usage

YES = Completion(text="yes", model="m", request_id="r-1", usage=Usage(input_tokens=3, calls=1, cost_usd=0.01))


@pytest.fixture
def cache(tmp_path):
    one = AnswerCache(tmp_path / "deep" / "answers.sqlite")
    yield one
    one.close()


def counting(answer=YES, *, fails=None, takes=0.01):
    calls = []

    async def call():
        calls.append(1)
        await asyncio.sleep(takes)
        if fails:
            raise fails
        return answer

    return call, calls


async def test_an_answer_is_found_again_by_another_process(cache, tmp_path):
    cache.put("k", YES)
    other = AnswerCache(tmp_path / "deep" / "answers.sqlite")
    assert other.get("k") == YES
    assert other.get("another") is None
    other.close()


async def test_equal_questions_at_the_same_time_share_one_call(cache):
    call, calls = counting()
    found = await asyncio.gather(*(cache.get_or_call("k", call) for _ in range(5)))
    assert len(calls) == 1
    assert [one.cached for one in found] == [False, True, True, True, True]
    assert (await cache.get_or_call("k", call)).cached
    assert len(calls) == 1


async def test_a_failure_reaches_all_who_wait_and_is_not_kept(cache):
    call, _ = counting(fails=ValueError("no"))
    found = await asyncio.gather(*(cache.get_or_call("k", call) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [ValueError] * 3
    assert cache.get("k") is None
    good, _ = counting()
    assert (await cache.get_or_call("k", good)).completion == YES


async def test_one_who_gives_up_does_not_take_the_answer_from_others(cache):
    call, calls = counting(takes=0.1)
    first, second = (asyncio.ensure_future(cache.get_or_call("k", call)) for _ in range(2))
    await asyncio.sleep(0.02)
    first.cancel()
    assert (await second).completion == YES
    assert len(calls) == 1


async def test_a_call_ends_when_nobody_waits_any_more(cache):
    ended = asyncio.Event()

    async def call():
        try:
            await asyncio.sleep(100)
        finally:
            ended.set()

    waiting = [asyncio.ensure_future(cache.get_or_call("k", call)) for _ in range(2)]
    await asyncio.sleep(0.02)
    for one in waiting:
        one.cancel()
    await asyncio.wait_for(ended.wait(), 30)


def test_a_damaged_file_is_set_aside_and_begun_anew(tmp_path, caplog):
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    cache = AnswerCache(path)
    cache.put("k", YES)
    assert cache.get("k") == YES
    assert "moved to" in caplog.text
    assert list(tmp_path.glob("answers.sqlite.damaged-*"))
    cache.close()


def test_where_nothing_can_be_written_answers_are_kept_in_memory(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    cache = AnswerCache(tmp_path / "file" / "answers.sqlite")
    cache.put("k", YES)
    assert cache.get("k") == YES
    assert "in memory only" in caplog.text
    cache.close()


async def test_an_answer_that_cannot_be_written_down_is_used_all_the_same(cache):
    call, _ = counting()
    cache.close()
    assert (await cache.get_or_call("k", call)).completion == YES
    assert cache.get("k") is None


def test_a_key_names_everything_the_question_is_made_of():
    assert key_of(a=1, b="x") == key_of(b="x", a=1)
    assert len({key_of(a=1), key_of(a=2), key_of(b=1)}) == 3
