"""Attribution maps for pages: one at a time, shared, and given up when nobody waits for them."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from doubleread.core.errors import SessionError
from doubleread.web._maps import MapQueue
from doubleread.web.limits import WebLimits


class Slow:
    """Sessions whose maps take until they are let go."""

    def __init__(self):
        self.began, self.at_once, self.most, self.given_up = [], 0, 0, []
        self.go = asyncio.Event()

    async def where(self, session, case, label=None):
        self.began.append((session, case, label))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up.append(label)
            raise
        finally:
            self.at_once -= 1
        if label == "bad":
            raise SessionError("there is no verdict yet")
        return f"map of {label}"


def hurried(slow, **limits):
    return MapQueue(slow, WebLimits(map_answer_s=0.02, map_left_s=0.2, **limits))


async def test_maps_are_worked_out_one_at_a_time_and_each_once():
    slow = Slow()
    queue = hurried(slow)
    labels = ["rust", "scab", "rust", "scab", "healthy"]
    assert await asyncio.gather(*(queue.get("s", "c", one) for one in labels)) == [0, 1, 0, 1, 2]
    slow.go.set()
    found = [await queue.get("s", "c", one) for one in ("rust", "scab", "healthy")]
    assert found == ["map of rust", "map of scab", "map of healthy"]
    assert await queue.get("s", "c", "rust") == "map of rust"
    assert [label for *_, label in slow.began] == ["rust", "scab", "healthy"]
    assert await queue.get("s", "c", "rust", "another reading") == "map of rust"
    assert len(slow.began) == 4
    assert slow.most == 1


async def test_too_many_are_refused_and_the_others_go_on():
    slow = Slow()
    queue = hurried(slow, maps_waiting=1)
    assert [await queue.get("s", "c", one) for one in ("a", "b")] == [0, 1]
    with pytest.raises(HTTPException) as refused:
        await queue.get("s", "c", "d")
    assert refused.value.status_code == 429
    slow.go.set()
    assert await queue.get("s", "c", "b") == "map of b"


async def test_a_map_that_nobody_asks_for_any_more_is_given_up():
    slow = Slow()
    queue = hurried(slow)
    assert await queue.get("s", "c", "left") == 0
    async with asyncio.timeout(60):
        while slow.given_up != ["left"]:
            await asyncio.sleep(0.05)
    slow.go.set()
    assert await queue.get("s", "c", "next") == "map of next"


async def test_what_goes_wrong_is_told_to_who_asked_and_forgotten():
    slow = Slow()
    slow.go.set()
    queue = hurried(slow)
    for _ in range(2):
        with pytest.raises(SessionError, match="no verdict yet"):
            await queue.get("s", "c", "bad")
    assert len(slow.began) == 2
