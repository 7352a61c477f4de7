"""Sessions in a real PostgreSQL: shared by machines, gone in the middle, refused with a clear word and no secret."""

import asyncio
import subprocess
import sys

import pytest
from postgres_kit import PASSWORD
from sessions_kit import own_panel, picture, referring, scripted, until, watched

from doubleread.core.errors import SessionError, SessionsAway, SettingsError
from doubleread.sessions.engine import Sessions
from doubleread.settings import load_settings


@pytest.fixture
async def machines(made, quick, tmp_path, address):
    """Two that share a database and nothing else."""
    found = []
    for name in ("one", "two"):
        panel = referring(own_panel(made, tmp_path / name, quick))
        found.append(Sessions(panel, tmp_path / name / "sessions", scripted, address))
    yield found
    for sessions in found:
        await sessions.close()
        sessions._desk._panel.close()


async def test_what_one_machine_reads_another_shows_and_decides(machines, tmp_path):
    one, two = machines
    session = (await one.create("shared")).id
    following = asyncio.create_task(until(two, session, "waiting"))
    case = await one.add(session, picture(tmp_path), "one.png")
    reading = await one.read(session, case)
    assert (await following)[-1].reading == reading
    file = await two.picture(session, case)
    assert file.is_relative_to(tmp_path / "two")
    assert file.read_bytes() == picture(tmp_path)
    (waiting,) = await two.waiting()
    await two.decide(session, waiting.reading, "red", "Ada")
    assert (await until(one, session, "decided"))[-1].data["reviewer"] == "Ada"
    assert await one.waiting() == []


async def test_what_one_machine_deletes_no_other_keeps(machines, tmp_path):
    one, two = machines
    session, other = (await one.create()).id, (await one.create()).id
    case = await one.add(session, picture(tmp_path), "one.png")
    kept = await two.picture(other, await one.add(other, picture(tmp_path, hue=1), "two.png"))
    copy = await two.picture(session, case)
    following = asyncio.create_task(until(two, session, "reply"))
    await one.delete(session)
    await following
    with pytest.raises(SessionError, match="no picture"):
        await two.picture(session, case)
    async with asyncio.timeout(120):
        while copy.parent.exists():
            await asyncio.sleep(0.05)
    assert kept.exists()


async def test_a_copy_that_was_lost_is_fetched_again(machines, tmp_path):
    one, _ = machines
    session = (await one.create()).id
    case = await one.add(session, picture(tmp_path), "one.png")
    (await one.picture(session, case)).unlink()
    assert (await one.picture(session, case)).read_bytes() == picture(tmp_path)


async def test_a_database_that_goes_away_loses_nothing(made, quick, tmp_path, postgres, address):
    """An agent answers while it is away: the reading waits, nobody is asked twice, and what is asked is refused."""
    with watched(own_panel(made, tmp_path, quick), tmp_path / "asked") as panel:
        asked, go_on = asyncio.Event(), asyncio.Event()
        agent, home = panel._seated.agents["neighbours"], asyncio.get_running_loop()

        class Held:
            name = agent.name

            async def read(self, case):
                home.call_soon_threadsafe(asked.set)
                answer = await agent.read(case)
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), home))
                return answer

        panel._seated.agents["neighbours"] = Held()
        sessions = Sessions(panel, tmp_path / "sessions", scripted, address)
        session = (await sessions.create("kept")).id
        case = await sessions.add(session, picture(tmp_path), "one.png")
        following = asyncio.create_task(until(sessions, session, "verdict", "failed"))
        await sessions.read(session, case)
        await asked.wait()
        postgres.stop()
        try:
            go_on.set()
            for refused in (sessions.listed(), sessions.say(session, "hello"), sessions.add(session, b"x", "x")):
                with pytest.raises(SessionsAway, match="cannot be reached") as told:
                    await refused
                assert "What was kept is not lost" in str(told.value)
                assert PASSWORD not in str(told.value)
            assert not following.done()
        finally:
            postgres.start()
        told = await following
        assert told[-1].kind == "verdict"
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        assert sorted((tmp_path / "asked").read_text().split()) == ["logistic", "neighbours"]
        await sessions.say(session, "hello")
        assert (await until(sessions, session, "reply"))[-1].data["blocks"][0]["lines"] == ["1 images, {}"]
        await sessions.close()


async def test_a_reply_waits_for_the_database(made, quick, tmp_path, postgres, address):
    heard, go_on = asyncio.Event(), asyncio.Event()
    home = asyncio.get_running_loop()

    async def slow(text, standing):
        home.call_soon_threadsafe(heard.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), home))
        return await scripted(text, standing)

    with own_panel(made, tmp_path, quick) as panel:
        sessions = Sessions(panel, tmp_path / "sessions", slow, address)
        session = (await sessions.create()).id
        await sessions.say(session, "hello")
        await heard.wait()
        postgres.stop()
        try:
            go_on.set()
        finally:
            postgres.start()
        assert [event.kind for event in await until(sessions, session, "reply", "failed")] == ["said", "reply"]
        await sessions.close()


async def test_one_that_lives_is_known_to_live_after_the_database_was_away(machines, postgres):
    one, two = (sessions._desk._owner for sessions in machines)
    assert not one.gone(two.name)
    postgres.stop()
    postgres.start()
    async with asyncio.timeout(120):
        while one.gone(two.name):
            await asyncio.sleep(0.05)
    two.close()
    async with asyncio.timeout(120):
        while not one.gone(two.name):
            await asyncio.sleep(0.05)


@pytest.fixture
def panel(made, quick, tmp_path):
    with own_panel(made, tmp_path, quick) as panel:
        yield panel


def test_a_wrong_password_is_told_without_it(panel, tmp_path, address, monkeypatch, caplog, capfd):
    monkeypatch.setenv("PGPASSWORD", "wrong-and-secret")
    with pytest.raises(SessionsAway, match="password authentication failed") as told:
        Sessions(panel, tmp_path / "sessions", scripted, address)
    shown = str(told.value) + caplog.text + "".join(capfd.readouterr())
    assert "PGPASSWORD" in shown
    assert "wrong-and-secret" not in shown
    assert told.value.__cause__ is None


def test_an_address_where_nobody_listens_is_told(panel, tmp_path, address):
    with pytest.raises(SessionsAway, match="cannot be reached"):
        Sessions(panel, tmp_path / "sessions", scripted, "postgresql://ann@127.0.0.1:1/nothing")
    with pytest.raises(SessionsAway, match='database "nothing" does not exist'):
        Sessions(panel, tmp_path / "sessions", scripted, f"{address.rpartition('/')[0]}/nothing")


def test_checkpoints_of_a_newer_version_are_refused(panel, tmp_path, postgres, address):
    asyncio.run(Sessions(panel, tmp_path / "sessions", scripted, address).close())
    postgres.execute("insert into doubleread.checkpoint_migrations values (99)", address.rpartition("/")[2])
    with pytest.raises(SessionError, match=r"of version 99, this installation knows up to \d+: pip install --upgrade"):
        Sessions(panel, tmp_path / "sessions", scripted, address)


def test_without_the_extra_the_remedy_is_named(panel, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "doubleread.sessions._postgres_database", None)
    with pytest.raises(SessionError, match="pip install langgraph-checkpoint-postgres"):
        Sessions(panel, tmp_path / "sessions", scripted, "postgresql://ann@localhost/sessions")


def test_psycopg_is_loaded_only_where_a_database_is_named():
    code = "import sys, doubleread.sessions.engine; print('psycopg' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


# -- the setting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["postgresql://ann@db.example.org/sessions", "postgres://db:5433/s", "postgresql:///s?host=/run/pg", ""]
)
def test_addresses_without_a_password_are_taken(address):
    assert load_settings(None, {"sessions": {"database": address}}).sessions.database == address


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://ann:hush@db/s", "must hold no password"),
        ("postgresql://ann:@db/s", "must hold no password"),
        ("postgresql://ann@db/s?Password=hush", "must hold no password"),
        ("postgresql://ann:hu/sh@db/s", "must be an address"),
        ("postgresql://ann:hush@[db/s", "must be an address"),
        ("host=db password=hush", "must be an address"),
        ("mysql://ann:hush@db/s", "must be an address"),
    ],
)
def test_passwords_are_refused_and_never_shown(address, said, monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_SESSIONS__DATABASE", address)
    with pytest.raises(SettingsError, match=said) as told:
        load_settings()
    assert "hu" not in str(told.value)


def test_the_doctor_tells_whether_the_database_answers(address, monkeypatch, capsys):
    from doubleread.cli.main import main

    def doctor(named):
        monkeypatch.setenv("DOUBLEREAD_SESSIONS__DATABASE", named)
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit):
            main(["doctor"])
        return next(line for line in capsys.readouterr().out.splitlines() if "sessions" in line)

    assert f"{address}: PostgreSQL 18" in doctor(address)
    assert "cannot be reached" in doctor("postgresql://ann@127.0.0.1:1/nothing")
    monkeypatch.setenv("PGPASSWORD", "hush")
    assert "password authentication failed" in (told := doctor(address))
    assert "hush" not in told
