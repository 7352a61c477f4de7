"""The loop in a thread behind the sync calls."""

import asyncio
import subprocess
import sys
import threading

import pytest

from doubleread.core.background import Background


async def double(n):
    await asyncio.sleep(0)
    return 2 * n


def test_it_gives_results_and_errors():
    async def fail():
        raise ValueError("no")

    with Background() as background:
        assert background.call(double, 21) == 42
        with pytest.raises(ValueError, match="no"):
            background.call(fail)
        assert background.call(double, 4) == 8


async def test_it_works_inside_a_running_loop():
    with Background() as background:
        assert background.call(double, 3) == 6


def test_its_thread_begins_with_the_first_call_and_ends_with_close():
    before = threading.active_count()
    background = Background()
    assert threading.active_count() == before
    background.call(double, 1)
    assert threading.active_count() == before + 1
    background.close()
    background.close()
    assert threading.active_count() == before


def test_close_cancels_what_still_runs():
    background, begun, cancelled = Background(), threading.Event(), threading.Event()

    async def endless():
        try:
            begun.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def caller():
        with pytest.raises(BaseException):  # noqa: B017, PT011 - CancelledError of concurrent.futures
            background.call(endless)

    thread = threading.Thread(target=caller)
    thread.start()
    begun.wait(60)
    background.close()
    thread.join(60)
    assert cancelled.is_set()
    assert not thread.is_alive()


def test_a_program_that_forgets_to_close_ends_all_the_same():
    code = (
        "import asyncio\nfrom doubleread.core.background import Background\n"
        "async def one(): return 1\n"
        "b = Background()\nprint(b.call(one))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert (found.stdout, found.stderr) == ("1\n", "")


def test_the_farewell_comes_after_everything_was_cancelled():
    told = []

    async def endless():
        try:
            await asyncio.sleep(60)
        finally:
            told.append("cancelled")

    async def farewell():
        told.append("farewell")

    background = Background(farewell)

    async def leave_running():
        told.append(asyncio.ensure_future(endless()))
        await asyncio.sleep(0.01)

    background.call(leave_running)
    background.close()
    assert told[1:] == ["cancelled", "farewell"]
