"""Sessions from the first picture to the last: what happens, in which order, and what outlives the process."""

import asyncio
import shutil

import pytest
from sessions_kit import own_panel, picture, scripted, until

from doubleread.core.errors import ImageError, SessionError, TaskError, UnknownPart
from doubleread.panel import Panel
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import How


@pytest.fixture
async def sessions(made, quick, tmp_path):
    with own_panel(made, tmp_path, quick) as panel:
        opened = Sessions(panel, tmp_path / "sessions", scripted)
        yield opened
        await opened.close()


async def test_a_picture_is_read_and_what_happens_is_told_in_order(sessions, tmp_path):
    session = (await sessions.create("leaves")).id
    case = await sessions.add(session, picture(tmp_path), "one.png")
    reading = await sessions.read(session, case)
    told = await until(sessions, session, "verdict")
    kinds = [event.kind for event in told]
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    assert kinds[:2] == ["image", "asked"]
    assert kinds[-1] == "verdict"
    assert sorted(kinds[2:-1]) == ["answer", "answer", "evidence"]
    assert {event.case for event in told} == {case}
    assert {event.reading for event in told} == {None, reading}
    assert told[1].data["agents"] == ["logistic", "neighbours"]
    assert told[0].data == {"name": "one.png", "width": 64, "height": 64}
