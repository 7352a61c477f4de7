"""A process that is killed in mid-reading: the next one goes on where it stopped."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sessions_kit import own_panel, picture, referring, scripted, until, watched

from doubleread.sessions.engine import Sessions

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[1]
KILLED = """
import asyncio, sys
from pathlib import Path
from sessions_kit import referring, scripted, until, watched
from doubleread.panel import Panel
from doubleread.sessions.engine import Sessions

folder, database = Path(sys.argv[1]), sys.argv[2]
panel = referring(watched(Panel.load(folder / "panel"), folder / "asked", neighbours=3600))
sessions = Sessions(panel, folder / "sessions", scripted, database)

async def main():
    session = (await sessions.create("killed")).id
    case = await sessions.add(session, (folder / "leaf.png").read_bytes(), "leaf.png")
    await sessions.read(session, case)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def stored_answer(file, database):
    """Whether a checkpoint holds an agent's answer."""
    if database:
        import psycopg

        with psycopg.connect(database) as db, suppress(psycopg.errors.UndefinedTable):
            return db.execute("select 1 from doubleread.checkpoint_writes where channel = 'answers'").fetchone()
        return False
    if not file.exists():
        return False
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(file)) as db:
        return db.execute("select 1 from writes where channel = 'answers'").fetchone()
    return False


@pytest.fixture
def killed(made, quick, settings, tmp_path, database):
    """A folder of sessions after a process was killed while one of two agents had answered."""
    panel = own_panel(made, tmp_path, quick)
    panel.close()
    (tmp_path / "leaf.png").write_bytes(picture(tmp_path))
    paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    caches = {"DOUBLEREAD_ENCODER__CACHE_DIR": settings.encoder.cache_dir, "DOUBLEREAD_ENCODER__DEVICE": "cpu"}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), database], env={**os.environ, **caches, "PYTHONPATH": paths}
    )
    until_then = time.monotonic() + 120
    while not stored_answer(tmp_path / "sessions" / "readings.sqlite", database):
        assert process.poll() is None, "the process ended by itself"
        assert time.monotonic() < until_then, "no answer came"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return tmp_path


async def test_a_killed_reading_goes_on_and_nobody_is_asked_twice(killed, quick, database):
    from doubleread.panel import Panel

    with referring(watched(Panel.load(killed / "panel", settings=quick), killed / "asked")) as panel:
        sessions = Sessions(panel, killed / "sessions", scripted, database)
        (info,) = await sessions.listed()
        told = await until(sessions, info.id, "waiting")
        kinds = [event.kind for event in told]
        assert kinds[:2] == ["image", "asked"]
        assert sorted(kinds[2:-2]) == ["answer", "answer", "evidence"]
        assert kinds[-2:] == ["verdict", "waiting"]
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        assert {opinion["agent"] for opinion in told[-2].data["opinions"]} == {"logistic", "neighbours"}
        await sessions.close()
    asked = (killed / "asked").read_text().split()
    assert sorted(asked) == ["logistic", "neighbours", "neighbours"]


async def test_a_living_process_keeps_its_readings(made, quick, tmp_path, database):
    with watched(own_panel(made, tmp_path, quick), tmp_path / "asked", neighbours=3600) as panel:
        first = Sessions(panel, tmp_path / "sessions", scripted, database)
        session = (await first.create()).id
        await first.read(session, await first.add(session, picture(tmp_path), "one.png"))
        await until(first, session, "answer")
        panel._seated.agents["neighbours"].delay = 0
        second = Sessions(panel, tmp_path / "sessions", scripted, database)
        assert (tmp_path / "asked").read_text().split() == ["logistic", "neighbours"]
        await first.close()
        third = Sessions(panel, tmp_path / "sessions", scripted, database)
        assert (await until(third, session, "verdict", "failed"))[-1].kind == "verdict"
        assert sorted((tmp_path / "asked").read_text().split()) == ["logistic", "neighbours", "neighbours"]
        await second.close()
        await third.close()
