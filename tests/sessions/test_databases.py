"""The log of sessions over either database: what several processes write at once is all there, in one order."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from doubleread.core.errors import SessionError, SessionsAway
from doubleread.sessions._log import Log
from doubleread.sessions._sqlite_database import SqliteDatabase
from doubleread.sessions.record import How, Said

WRITER = """
import sys
from pathlib import Path
from doubleread.sessions._log import Log
from doubleread.sessions.record import Said
from doubleread.sessions._sqlite_database import SqliteDatabase

database, file, session, name = sys.argv[1:]
if database:
    from doubleread.sessions._postgres_database import PostgresDatabase
log = Log(PostgresDatabase(database) if database else SqliteDatabase(Path(file)))
for i in range(50):
    log.add(session, "said", Said(text=f"{name} {i}"))
    log.add(session, "said", Said(text=f"once {i}"), key=f"once/{i}")
"""


@pytest.fixture
def opened(database, tmp_path):
    """Opens the database once more, as another process would."""
    found = []

    def open_one():
        if database:
            from doubleread.sessions._postgres_database import PostgresDatabase

            found.append(PostgresDatabase(database))
        else:
            found.append(SqliteDatabase(tmp_path / "sessions.sqlite"))
        return found[-1]

    yield open_one
    for one in found:
        one.close()


def test_processes_that_write_at_once_lose_nothing(opened, database, tmp_path):
    log = Log(opened())
    session = log.create("shared").id
    arguments = [database, str(tmp_path / "sessions.sqlite"), session]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, *arguments, name]) for name in ("a", "b", "c")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    events = log.events(session)
    assert [event.seq for event in events] == list(range(1, 201))
    said = [event.data["text"] for event in events]
    for name in ("a", "b", "c", "once"):
        assert [text for text in said if text.startswith(name)] == [f"{name} {i}" for i in range(50)]


def test_all_may_open_a_new_one_at_once(opened):
    with ThreadPoolExecutor(4) as pool:
        logs = [Log(one) for one in pool.map(lambda _: opened(), range(4))]
    logs[0].belong("kind")
    session = logs[1].create("").id
    assert [log.info(session).id for log in logs] == [session] * 4
    with pytest.raises(SessionError, match="another kind: kind"):
        logs[2].belong("other kind")


def test_writes_of_others_are_noticed_and_only_when_they_count(opened):
    one, other = opened(), opened()
    session = Log(one).create("").id
    before = other.version
    written, go_on = threading.Event(), threading.Event()

    def write():
        with one.writing() as db:
            db.execute("update sessions set title = ? where id = ?", ("new", session))
            written.set()
            go_on.wait()

    writer = threading.Thread(target=write)
    writer.start()
    written.wait()
    during = other.version
    assert Log(other).info(session).title == ""
    go_on.set()
    writer.join()
    assert other.version not in (before, during)
    assert Log(other).info(session).title == "new"


def test_a_block_that_fails_changes_nothing(opened):
    log, database = Log(opened()), opened()
    session = log.create("kept").id

    def fail():
        with database.writing() as db:
            db.execute("update sessions set title = ? where id = ?", ("lost", session))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert log.info(session).title == "kept"
    assert Log(database).info(session).title == "kept"


def test_a_key_joins_once_and_any_text_is_kept(opened):
    log = Log(opened())
    session = log.create("a\0title 🌿 %s ?").id
    assert log.info(session).title == "atitle 🌿 %s ?"
    words = "%s ? \0 🌿 ' ; drop table events"
    assert log.add(session, "said", Said(text=words), key="one").seq == 1
    assert log.add(session, "said", Said(text="again"), key="one") is None
    assert [event.data["text"] for event in log.events(session)] == [words]


def test_readings_of_one_that_ended_are_taken_over_once(opened):
    first, second = Log(opened()), Log(opened())
    session = first.create("").id
    begun = [first.begin(session, "case", How(k=3), "gone").id for _ in range(3)]
    first.begin(session, "case", How(), "living")
    assert second.owners() == {"gone", "living"}
    taken = [*first.take_over("gone", "a"), *second.take_over("gone", "b")]
    assert sorted(one.id for one in taken) == sorted(begun)
    assert [one.id for one in second.readings(session)][:3] == begun
    assert second.readings(session)[0].how == How(k=3)


def test_whose_sessions_are_is_known_until_they_are_deleted(opened):
    one, other = Log(opened()), Log(opened())
    session, second = one.create("").id, one.create("").id
    one.own(session, "ann")
    other.own(second, "ben")
    other.own(session, "ben")
    assert other.people() == {session: "ann", second: "ben"}
    one.delete(session)
    assert other.people() == {second: "ben"}


def test_tables_of_a_newer_version_are_refused(opened, database):
    with closing(opened()) as one, one.writing() as db:
        db.execute("update format set version = 2" if database else "pragma user_version = 2")
    with pytest.raises(SessionError, match=r"of format 2, this doubleread knows up to 1: upgrade"):
        opened()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_statement_after_the_end_opens_no_connection(opened):
    ended = opened()
    assert ended.version
    ended.close()
    with pytest.raises(SessionsAway, match="were closed"):
        _ = ended.version
    assert ended._connection.closed
