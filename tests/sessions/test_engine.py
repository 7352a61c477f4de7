"""Sessions from the first picture to the last: what happens, in which order, and what outlives the process."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from sessions_kit import own_panel, picture, referring, scripted, until, watched

from doubleread.core.errors import ImageError, SessionError, TaskError, UnknownPart
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import How


@pytest.fixture
async def sessions(made, quick, tmp_path, database):
    with own_panel(made, tmp_path, quick) as panel:
        opened = Sessions(panel, tmp_path / "sessions", scripted, database)
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


@pytest.fixture
async def referred(made, quick, tmp_path, database):
    """Sessions of a panel that refers everything."""
    with referring(own_panel(made, tmp_path, quick)) as panel:
        opened = Sessions(panel, tmp_path / "sessions", scripted, database)
        yield opened
        await opened.close()


async def read_one(sessions, folder, **picked):
    """A session with one picture that was read: its id, the case, the reading."""
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(folder, **picked), "one.png")
    reading = await sessions.read(session, case)
    await until(sessions, session, "verdict", "failed")
    return session, case, reading


def archived(sessions, case):
    return sessions._desk._panel._store.holds(case)


async def test_a_referred_case_waits_and_is_decided(referred, tmp_path):
    session, case, reading = await read_one(referred, tmp_path)
    told = await until(referred, session, "waiting")
    assert [event.kind for event in told[-2:]] == ["verdict", "waiting"]
    (waiting,) = await referred.waiting()
    assert (waiting.session, waiting.case, waiting.reading, waiting.name) == (session, case, reading, "one.png")
    assert (await referred.listed())[0].waiting == 1
    with pytest.raises(TaskError):
        await referred.decide(session, reading, "mauve")
    assert not archived(referred, case)
    await referred.decide(session, reading, "green", "Ada", "by eye")
    last = (await referred.events(session))[-1]
    assert (last.kind, last.reading) == ("decided", reading)
    assert last.data == {"label": "green", "reviewer": "Ada", "note": "by eye", "kept": ""}
    assert archived(referred, case)
    assert await referred.waiting() == []
    desk = referred._desk
    assert (await referred._home.run(desk._readings.decided, reading))["label"] == "green"


async def test_a_referral_waits_over_a_restart(made, quick, tmp_path, database):
    with referring(own_panel(made, tmp_path, quick)) as panel:
        first = Sessions(panel, tmp_path / "sessions", scripted, database)
        session, case, reading = await read_one(first, tmp_path)
        await until(first, session, "waiting")
        await first.close()
        second = Sessions(panel, tmp_path / "sessions", scripted, database)
        before = await second.events(session)
        (waiting,) = await second.waiting()
        await second.decide(session, waiting.reading, "red")
        assert (await second._home.run(second._desk._readings.decided, reading))["label"] == "red"
        assert [event.kind for event in (await second.events(session, before[-1].seq))] == ["decided"]
        assert archived(second, case)
        await second.close()


async def test_undo_takes_the_case_out_of_the_archive_and_it_waits_again(referred, tmp_path):
    session, case, reading = await read_one(referred, tmp_path)
    await until(referred, session, "waiting")
    await referred.decide(session, reading, "green")
    after = (await referred.events(session))[-1].seq
    await referred.say(session, "undo")
    told = await until(referred, session, "undone", "failed", after=after)
    assert [event.kind for event in told] == ["said", "reply", "undone"]
    assert told[-1].data == {"seq": after, "what": "one.png is green", "reviewer": ""}
    assert not archived(referred, case)
    assert [one.reading for one in await referred.waiting()] == [reading]
    await referred.decide(session, reading, "red")
    assert archived(referred, case)
    assert await referred.waiting() == []


async def test_confirming_in_other_words_replaces_what_was_confirmed(sessions, tmp_path):
    session, case, _ = await read_one(sessions, tmp_path)
    await sessions.say(session, "confirm green")
    told = await until(sessions, session, "decided", "failed")
    after = told[-1].seq
    await sessions.say(session, "confirm red")
    told = await until(sessions, session, "decided", "failed", after=after)
    assert [event.kind for event in told] == ["said", "reply", "undone", "decided"]
    await sessions.say(session, "what now")
    told = await until(sessions, session, "reply", after=told[-1].seq)
    assert told[-1].data["blocks"][0]["lines"] == [f"1 images, {{'{case}': 'red'}}"]
    assert sessions._desk._panel._store.get([case])[0].case.label == "red"


async def test_a_case_of_the_panels_own_is_decided_but_not_kept(sessions, photos, tmp_path):
    own = next(photos.glob("red/*.png"))
    session = (await sessions.create()).id
    await sessions.read(session, await sessions.add(session, own.read_bytes(), own.name))
    await until(sessions, session, "verdict")
    await sessions.say(session, "confirm red")
    told = await until(sessions, session, "decided")
    assert "among the panel's own cases" in told[-1].data["kept"]
    after = told[-1].seq
    await sessions.say(session, "undo")
    assert (await until(sessions, session, "undone", "failed", after=after))[-1].kind == "undone"


async def test_faults_are_told_in_the_session(sessions, tmp_path):
    session, _, _ = await read_one(sessions, tmp_path)
    for words, problem in (
        ("undo", "nothing was confirmed"),
        ("confirm mauve", "mauve"),
        ("fail", "RuntimeError: no talking today"),
        ("switch elsewhere", "no picture 'elsewhere'"),
    ):
        after = (await sessions.events(session))[-1].seq
        await sessions.say(session, words)
        assert problem in (await until(sessions, session, "failed", after=after))[-1].data["problem"]


async def test_a_reading_that_breaks_is_told_and_leaves_the_others_alone(sessions, tmp_path):
    session, case, _ = await read_one(sessions, tmp_path)
    other = await sessions.add(session, picture(tmp_path, hue=1, seed=5), "two.png")
    (await sessions.picture(session, other)).write_bytes(b"no image any more")
    await sessions.read(session, other)
    told = await until(sessions, session, "failed")
    assert (told[-1].case, told[-1].data["problem"][:20]) == (other, "the file does not ho")
    after = told[-1].seq
    await sessions.read(session, case)
    assert (await until(sessions, session, "verdict", after=after))[-1].case == case


async def test_sessions_do_not_mix(sessions, tmp_path):
    one, case, _ = await read_one(sessions, tmp_path)
    two, other, _ = await read_one(sessions, tmp_path, hue=2, seed=8)
    assert {event.case for event in await sessions.events(one)} == {case}
    assert {event.case for event in await sessions.events(two)} == {other}
    with pytest.raises(SessionError, match="no picture"):
        await sessions.read(two, case)
    with pytest.raises(SessionError, match="no reading"):
        await sessions.decide(two, (await sessions.events(one))[-1].reading, "red")
    await sessions.say(two, "hello")
    assert (await until(sessions, two, "reply"))[-1].data["blocks"][0]["lines"] == ["1 images, {}"]
    assert all(event.kind != "said" for event in await sessions.events(one))


async def test_ten_sessions_at_once(sessions, tmp_path):
    ids = [(await sessions.create(str(n))).id for n in range(10)]

    async def use(n, session):
        case = await sessions.add(session, picture(tmp_path, hue=n % 3, seed=300 + n), f"{n}.png")
        await sessions.read(session, case)
        told = await until(sessions, session, "verdict", "failed")
        await sessions.say(session, "confirm red")
        return [*told, *await until(sessions, session, "decided", "failed", after=told[-1].seq)]

    for told in await asyncio.gather(*(use(n, session) for n, session in enumerate(ids))):
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        assert [event.kind for event in told[-4:]] == ["verdict", "said", "reply", "decided"]
        assert told[-1].data["kept"] == ""


async def test_a_slow_reading_blocks_nobody(made, quick, tmp_path, database):
    with watched(own_panel(made, tmp_path, quick), tmp_path / "asked", logistic=3600) as panel:
        sessions = Sessions(panel, tmp_path / "sessions", scripted, database)
        session = (await sessions.create()).id
        case = await sessions.add(session, picture(tmp_path), "one.png")
        await sessions.read(session, case)
        await until(sessions, session, "answer")
        panel._seated.agents["logistic"].delay = 0
        await read_one(sessions, tmp_path, hue=1)
        assert "verdict" not in [event.kind for event in await sessions.events(session)]
        await sessions.close()


async def test_followers_see_what_came_before_after_a_number_and_then_live(sessions, tmp_path):
    session, case, _ = await read_one(sessions, tmp_path)
    seen = await sessions.events(session)
    tail = await until(sessions, session, "verdict", after=seen[2].seq)
    assert tail == seen[3:]
    live = [asyncio.create_task(until(sessions, session, "reply", after=seen[-1].seq)) for _ in range(5)]
    await sessions.say(session, "hello")
    for found in await asyncio.gather(*live):
        assert [(event.kind, event.case) for event in found] == [("said", case), ("reply", case)]


async def test_another_process_writes_are_seen(sessions, made, quick, tmp_path, database):
    """Two of them on one folder stand for two processes: they share nothing but the files."""
    with own_panel(made, tmp_path / "other", quick) as panel:
        other = Sessions(panel, tmp_path / "sessions", scripted, database)
        session = (await sessions.create()).id
        following = asyncio.create_task(until(other, session, "verdict"))
        case = await sessions.add(session, picture(tmp_path), "one.png")
        await sessions.read(session, case)
        assert [event.seq for event in await following] == [event.seq for event in await sessions.events(session)]
        await other.close()


async def test_deletion_leaves_nothing(sessions, tmp_path, database):
    session, case, reading = await read_one(sessions, tmp_path)
    file = await sessions.picture(session, case)
    following = asyncio.create_task(until(sessions, session, "reply"))
    await asyncio.sleep(0)
    await sessions.delete(session)
    assert (await following)[-1].kind == "verdict"
    assert not file.exists()
    assert await sessions.listed() == []
    with pytest.raises(SessionError, match="no session"):
        await sessions.events(session)
    with pytest.raises(SessionError, match="no session"):
        await sessions.delete(session)
    await sessions.close()
    text = everything(tmp_path / "sessions", database)
    assert "belongs" in text
    assert not any(word in text for word in (session, case, reading))


def everything(folder, database):
    """Every row of every table, with the tables' names."""
    if database:
        import psycopg

        with psycopg.connect(database) as db:
            names = db.execute("select tablename from pg_tables where schemaname = 'doubleread'").fetchall()
            return "".join(name + str(db.execute(f"select * from doubleread.{name}").fetchall()) for (name,) in names)
    told = []
    for file in folder.glob("*.sqlite"):
        with closing(sqlite3.connect(file)) as db:
            names = db.execute("select name from sqlite_master where type = 'table'").fetchall()
            told += [name + str(db.execute(f"select * from {name}").fetchall()) for (name,) in names]
    return "".join(told)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\leaf.jpg", "leaf.jpg"),
        ("a\0b\nc\x1b[31m.png", "abc[31m.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("..", "image"),
        ("", "image"),
        ("x" * 5000, "x" * 120),
        ("<script>.png", "<script>.png"),
    ],
)
async def test_hostile_names_name_nothing(sessions, tmp_path, name, shown):
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(tmp_path), name)
    assert (await sessions.events(session))[0].data["name"] == shown
    file = await sessions.picture(session, case)
    assert file == tmp_path / "sessions" / "pictures" / session / f"{case}.png"
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    with pytest.raises(SessionError):
        await sessions.picture(session, f"../{session}/{case}")


async def test_what_is_no_picture_is_refused_and_leaves_nothing(sessions):
    session = (await sessions.create()).id
    with pytest.raises(ImageError):
        await sessions.add(session, b"#!/bin/sh", "leaf.png")
    assert await sessions.events(session) == []
    with pytest.raises(SessionError, match="no session"):
        await sessions.add("../elsewhere", b"", "leaf.png")


async def test_the_same_picture_joins_once(sessions, tmp_path):
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(tmp_path), "one.png")
    assert await sessions.add(session, picture(tmp_path), "again.png") == case
    assert [event.data["name"] for event in await sessions.events(session)] == ["one.png"]
    assert (await sessions.listed())[0].images == 1


async def test_titles_and_order_of_the_list(sessions, tmp_path):
    one, two = (await sessions.create("one")).id, (await sessions.create("two")).id
    assert [info.title for info in await sessions.listed()] == ["two", "one"]
    await sessions.add(one, picture(tmp_path), "one.png")
    assert (await sessions.rename(one, "first")).title == "first"
    assert [info.id for info in await sessions.listed()] == [one, two]
    with pytest.raises(SessionError, match="no session"):
        await sessions.rename("nowhere", "x")


async def test_a_reading_with_other_settings_says_so_and_is_no_record_of_the_panel(sessions, tmp_path):
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(tmp_path), "one.png")
    await sessions.read(session, case, How(without=("neighbours",), k=3))
    told = await until(sessions, session, "verdict", "failed")
    asked = next(event for event in told if event.kind == "asked")
    assert asked.data["agents"] == ["logistic"]
    assert asked.data["how"]["k"] == 3
    verdict = told[-1].data
    assert [opinion["agent"] for opinion in verdict["opinions"]] == ["logistic"]
    assert len(verdict["evidence"]["neighbours"]) == 3
    assert any("read with other settings (without neighbours; 3 similar cases)" in one for one in verdict["warnings"])
    assert not any("degraded" in one for one in verdict["warnings"])
    await sessions.say(session, "confirm red")
    told = await until(sessions, session, "decided", "failed", after=told[-1].seq)
    assert "read with other settings only" in told[-1].data["kept"]
    assert not archived(sessions, case)


async def test_settings_that_ask_nobody_are_refused(sessions, tmp_path):
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(tmp_path), "one.png")
    with pytest.raises(UnknownPart, match="oracle"):
        await sessions.read(session, case, How(only=("oracle",)))
    with pytest.raises(SessionError, match="no agent is left"):
        await sessions.read(session, case, How(without=("logistic", "neighbours")))


async def test_sessions_belong_to_panels_of_one_kind(sessions, panel, tmp_path, database):
    with pytest.raises(SessionError, match="belong to a panel of another kind"):
        Sessions(panel, tmp_path / "sessions", scripted, database)


def test_a_damaged_folder_is_a_clear_error(panel, tmp_path):
    (tmp_path / "sessions.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(SessionError, match="cannot be opened"):
        Sessions(panel, tmp_path, scripted)


def test_it_works_from_any_event_loop(panel, tmp_path, database):
    sessions = Sessions(panel, tmp_path / "sessions", scripted, database)
    session, case, _ = asyncio.run(read_one(sessions, tmp_path))
    asyncio.run(sessions.say(session, "hello"))
    told = asyncio.run(until(sessions, session, "reply"))
    assert told[-1].case == case
    asyncio.run(sessions.close())


async def test_talk_switches_between_images(sessions, tmp_path):
    session, one, _ = await read_one(sessions, tmp_path)
    two = await sessions.add(session, picture(tmp_path, hue=1), "two.png")
    await sessions.say(session, f"switch {one}")
    told = await until(sessions, session, "reply")
    assert [event.case for event in told[-2:]] == [two, one]
    await sessions.say(session, "hello")
    assert (await until(sessions, session, "reply", after=told[-1].seq))[-1].case == one


async def test_lines_go_on_with_what_the_session_knows(sessions, tmp_path):
    session, _, _ = await read_one(sessions, tmp_path)
    await sessions.add(session, picture(tmp_path, hue=1), "two.png")
    assert [one.text for one in await sessions.complete(session, "/switch ")] == ["/switch one.png"]
    assert [one.text for one in await sessions.complete(session, "/who n")] == ["/who neighbours"]
    with pytest.raises(SessionError, match="no session"):
        await sessions.complete("nowhere", "/")


async def test_the_real_talker(made, quick, tmp_path):
    """From the words to the archive, without a language model."""
    with own_panel(made, tmp_path, quick) as panel:
        sessions = Sessions(panel, tmp_path / "sessions")
        session, case, _ = await read_one(sessions, tmp_path)
        for words, kind in (("/why", "reply"), ("/correct red", "decided"), ("/undo", "undone")):
            after = (await sessions.events(session))[-1].seq
            await sessions.say(session, words)
            told = await until(sessions, session, kind, "failed", after=after)
            assert told[-1].kind == kind
            assert panel._store.holds(case) == (kind == "decided")
        after = told[-1].seq
        await sessions.say(session, "/read-again without neighbours")
        told = await until(sessions, session, "verdict", "failed", after=after)
        assert [one["agent"] for one in told[-1].data["opinions"]] == ["logistic"]
        await sessions.close()
