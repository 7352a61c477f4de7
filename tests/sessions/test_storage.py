"""Folders of sessions that somebody else made, and disks that take no more: a clear error, and nothing lost."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sessions_kit import own_panel, picture, scripted, until, watched

from doubleread.core.errors import SessionError, SessionsFull
from doubleread.panel import Panel
from doubleread.sessions._log import Log
from doubleread.sessions._picture_store import FolderPictures
from doubleread.sessions._sqlite_database import SqliteDatabase
from doubleread.sessions._storage import Owner, open_storage
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import How, Image, Said

TESTS = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "sessions"
    made.mkdir()
    return made


async def opened(folder):
    async with open_storage(folder, ""):
        pass


# -- from elsewhere -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sessions.sqlite", "readings.sqlite", "sessions.sqlite-wal", "pictures", "owners"])
@pytest.mark.parametrize("odd", ["fifo", "link"])
async def test_pipes_and_links_are_named_and_not_opened(folder, tmp_path, name, odd):
    target = tmp_path / "private"
    target.mkdir() if name in {"pictures", "owners"} else target.touch()
    os.mkfifo(folder / name) if odd == "fifo" else (folder / name).symlink_to(target)
    with pytest.raises(SessionError, match=f"{name} is not a"):
        await opened(folder)


@pytest.mark.parametrize("name", ["sessions.sqlite", "readings.sqlite"])
async def test_a_file_that_is_no_database_is_named(panel, folder, name):
    (folder / name).write_bytes(b"no database" * 1000)
    with pytest.raises(SessionError, match="cannot be opened"):
        Sessions(panel, folder, scripted)


def test_a_damaged_page_is_a_clear_error(folder):
    file = folder / "sessions.sqlite"
    with closing(SqliteDatabase(file)) as database:
        log = Log(database)
        session = log.create("one").id
        for i in range(200):
            log.add(session, "said", Said(text=f"{i} " * 200))
    data = bytearray(file.read_bytes())
    data[8192:40960] = bytes(32768)
    file.write_bytes(data)
    with closing(SqliteDatabase(file)) as database, pytest.raises(SessionError, match=r"restore|there is no session"):
        Log(database).events(session)


@pytest.mark.parametrize(("column", "value"), [
    ("data", "{"), ("data", "[" * 5000), ("data", "1"), ("data", "{}"), ("data", b"\xff"), ("kind", "odd"),
    ("time", "then"), ("data", '{"text": 1e999}'), ("data", f'{{"text": {"9" * 5000}}}'),
])  # fmt: skip
def test_rows_that_somebody_else_wrote_are_a_clear_error(folder, column, value):
    with closing(SqliteDatabase(folder / "sessions.sqlite")) as database:
        log = Log(database)
        session = log.create("one").id
        log.add(session, "said", Said(text="hello"))
        with database.writing() as db:
            db.execute(f"update events set {column} = ?", (value,))
        with pytest.raises(SessionError, match="damaged"):
            Log(database).events(session)


@pytest.mark.parametrize("session", ["../outside", "/etc", "..", "a/b", "", "x" * 100])
def test_a_session_of_any_name_reaches_nothing_outside(folder, session):
    outside = folder / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    pictures = FolderPictures(folder / "pictures")
    for use in (lambda: pictures.delete(session), lambda: pictures.find(session, "0" * 64)):
        with pytest.raises(SessionError, match=r"not a folder of sessions"):
            use()
    assert (outside / "kept").exists()


def test_a_picture_that_is_a_link_is_not_there(folder, tmp_path):
    pictures = FolderPictures(folder)
    case, _ = pictures.keep("one", picture(tmp_path), "one.png")
    file = pictures.find("one", case)
    moved = file.replace(tmp_path / "private.png")
    file.symlink_to(moved)
    with pytest.raises(SessionError, match="has no picture"):
        pictures.find("one", case)


def test_an_owner_of_any_name_is_gone_and_its_file_stays(folder):
    (folder / "victim.lock").touch()
    owner = Owner(folder / "owners")
    assert owner.gone("../victim")
    assert (folder / "victim.lock").exists()
    owner.close()


# -- disks that take no more --------------------------------------------------------------------------------------

FULL = """
import resource, signal, sys
from pathlib import Path
from doubleread.core.errors import SessionsFull
from doubleread.sessions._log import Log
from doubleread.sessions._picture_store import FolderPictures
from doubleread.sessions.record import Said
from doubleread.sessions._sqlite_database import SqliteDatabase

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
database = SqliteDatabase(folder / "sessions.sqlite")
log = Log(database)
session = log.create("one").id
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
said = 0
try:
    for i in range(10_000):
        log.add(session, "said", Said(text=f"{i} " * 100))
        said += 1
except SessionsFull as error:
    print(error, file=sys.stderr)
try:
    FolderPictures(folder / "pictures").write(session, "0" * 64, b"\\x89PNG\\r\\n\\x1a\\n" + bytes(500_000))
except SessionsFull as error:
    print(error, file=sys.stderr)
print(session, said)
"""


def test_what_was_acknowledged_on_a_full_disk_is_there(folder):
    ended = subprocess.run([sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, check=True)
    session, said = ended.stdout.split()
    with closing(SqliteDatabase(folder / "sessions.sqlite")) as database:
        assert len(Log(database).events(session)) == int(said) > 0
    first, second = ended.stderr.splitlines()
    assert "sessions.sqlite cannot be written" in first
    assert "what was stored before is kept" in first
    assert f"{'0' * 64}.png cannot be written" in second
    assert list((folder / "pictures" / session).iterdir()) == []


async def test_readings_wait_for_a_disk_that_is_full_and_it_is_told(made, quick, tmp_path):
    with own_panel(made, tmp_path, quick) as panel:
        sessions = Sessions(panel, tmp_path / "sessions", scripted)
        log, full = sessions._desk._log, [True]
        add = log.add

        def adding(session, kind, *rest, **more):
            if full[0] and kind == "verdict":
                raise SessionsFull("the disk takes no more")
            return add(session, kind, *rest, **more)

        log.add = adding
        session = (await sessions.create()).id
        await sessions.bring(session, picture(tmp_path), "one.png")
        with pytest.raises(SessionsFull, match="goes on when there is space again"):
            await sessions.settled(session)
        full[0] = False
        assert (await until(sessions, session, "verdict", "failed"))[-1].kind == "verdict"
        await sessions.settled(session)
        await sessions.close()


# -- many images --------------------------------------------------------------------------------------------------


def test_a_picture_joins_with_its_reading_or_not_at_all(folder):
    with closing(SqliteDatabase(folder / "sessions.sqlite")) as database:
        log = Log(database)
        session = log.create("one").id
        started = log.join(session, "0" * 64, Image(name="a", width=1, height=1), How(), "me")
        assert [one.id for one in log.take_over("me", "you")] == [started.id]
        with pytest.raises(SessionError):
            log.join("gone", "0" * 64, Image(name="a", width=1, height=1), How(), "me")
        assert log.owners() == {"you"}


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from rich.console import Console
from sessions_kit import scripted, watched
from doubleread.cli.chat_room import Room
from doubleread.cli.chat_show import Screen
from doubleread.panel import Panel
from doubleread.render.preview import Preview
from doubleread.sessions.engine import Sessions

folder = Path(sys.argv[1])

class Killing(Screen):
    def event(self, event, picture):
        if event.kind == "answer":
            os.kill(os.getpid(), signal.SIGKILL)

panel = watched(Panel.load(folder / "panel"), folder / "asked", neighbours=3600)
sessions = Sessions(panel, folder / "sessions", scripted)
room = Room(sessions, panel, Killing(Console(), Console(), Preview("none")))
asyncio.run(room.bring([folder / f"0-{seed}.png" for seed in range(4)]))
"""


@pytest.mark.integration
async def test_images_that_were_named_and_not_reached_are_read_after_a_kill(made, quick, settings, tmp_path):
    own_panel(made, tmp_path, quick).close()
    for seed in range(4):
        picture(tmp_path, seed=seed)
    paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    caches = {"DOUBLEREAD_ENCODER__CACHE_DIR": settings.encoder.cache_dir, "DOUBLEREAD_ENCODER__DEVICE": "cpu"}
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], env={**os.environ, **caches, "PYTHONPATH": paths}, check=False
    )
    assert ended.returncode == -9
    with Panel.load(tmp_path / "panel", settings=quick) as panel:
        sessions = Sessions(panel, tmp_path / "sessions", scripted)
        (info,) = await sessions.listed()
        assert info.images == 4
        told = await until(sessions, info.id, "verdict", n=4)
        assert {event.case for event in told if event.kind == "verdict"} == {
            event.case for event in told if event.kind == "image"
        }
        await sessions.close()


async def test_readings_in_turn_come_one_after_the_other(made, quick, tmp_path):
    with watched(own_panel(made, tmp_path, quick), tmp_path / "asked") as panel:
        sessions = Sessions(panel, tmp_path / "sessions", scripted)
        session = (await sessions.create()).id
        for seed in range(3):
            await sessions.bring(session, picture(tmp_path, seed=seed), f"{seed}.png", in_turn=True)
        told = [event for event in await until(sessions, session, "verdict", n=3) if event.kind != "image"]
        assert [event.case for event in told] == sorted(
            (event.case for event in told), key=[event.case for event in told].index
        )
        await sessions.close()
