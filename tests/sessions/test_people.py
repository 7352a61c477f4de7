"""Who decided: on record in the session, its document, the outcome and the archive's history."""

import pytest
from sessions_kit import own_panel, picture, referring, until

from doubleread.core.errors import SessionError
from doubleread.panel.outcomes import read_outcomes
from doubleread.sessions.engine import Sessions
from doubleread.sessions.opening import whoever_is_here
from doubleread.sessions.record import MAX_NAME, person


@pytest.fixture
async def sessions(made, quick, tmp_path):
    with referring(own_panel(made, tmp_path, quick)) as panel:
        opened = Sessions(panel, tmp_path / "sessions")
        yield opened
        await opened.close()


async def read_one(sessions, folder, hue=0):
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(folder, hue), f"leaf{hue}.png")
    reading = await sessions.read(session, case)
    await until(sessions, session, "waiting")
    return session, case, reading


async def say(sessions, session, text, reviewer=""):
    await sessions.say(session, text, reviewer=reviewer)
    await sessions.settled(session)
    return (await sessions.events(session))[-1]


async def test_who_confirms_corrects_decides_and_takes_back_is_on_record(sessions, tmp_path):
    session, case, reading = await read_one(sessions, tmp_path)
    panel = sessions._desk._panel
    decided = await say(sessions, session, "/correct green", "Ada")
    assert (decided.kind, decided.data["reviewer"]) == ("decided", "Ada")
    assert [outcome.reviewer for outcome in read_outcomes(panel.folder).standing] == ["Ada"]
    told = await say(sessions, session, "/images")
    assert "green by Ada" in str(told.data)
    assert "Ada said" not in str(told.data)
    replaced = await say(sessions, session, "no, it's red", "Bo")
    assert (replaced.kind, replaced.data["reviewer"]) == ("decided", "Bo")
    assert "recorded before by Ada" in str((await sessions.events(session))[-3].data)
    undone = await say(sessions, session, "/undo", "Cy")
    assert (undone.kind, undone.data["reviewer"]) == ("undone", "Cy")
    await sessions.decide(session, reading, "blue", " Di\n")
    history = [
        (change.what, change.after or change.before, change.reviewer) for change in panel._store.past.history(case)
    ]
    assert history == [
        ("added", "green", "Ada"),
        ("removed", "green", "Bo"),
        ("restored", "red", "Bo"),
        ("removed", "red", "Cy"),
        ("restored", "blue", "Di"),
    ]
    for kind in ("markdown", "html"):
        document = (await sessions.export(session, kind, tmp_path)).read_text(encoding="utf-8")
        for told in ("was decided by Ada", "Undone by Cy", "was decided by Di"):
            assert told in document


async def test_what_was_decided_last_in_all_sessions_still_counts(sessions, tmp_path):
    first, second = await read_one(sessions, tmp_path), await read_one(sessions, tmp_path, 1)
    for (session, _, reading), label in ((first, "green"), (second, "red")):
        await sessions.decide(session, reading, label, "Ada")
    found = await sessions.decisions()
    assert [(one.session, one.data["label"]) for one in found] == [(second[0], "red"), (first[0], "green")]
    assert await sessions.decisions(1) == found[:1]
    await say(sessions, second[0], "/undo")
    assert await sessions.decisions() == found[1:]
    await sessions.delete(first[0])
    assert await sessions.decisions() == []


async def test_a_name_that_is_too_long_decides_nothing(sessions, tmp_path):
    session, _, reading = await read_one(sessions, tmp_path)
    for doing in (
        sessions.decide(session, reading, "green", "x" * (MAX_NAME + 1)),
        sessions.say(session, "/correct green", reviewer="x" * (MAX_NAME + 1)),
    ):
        with pytest.raises(SessionError, match=f"at most {MAX_NAME} characters"):
            await doing
    assert "decided" not in {event.kind for event in await sessions.events(session)}


def test_a_name_is_one_line_of_what_can_be_shown():
    assert person("  Ada\x1b[2J\n Löwe\u202e ") == "Ada [2J Löwe"
    assert person("") == ""


def test_without_a_name_it_is_the_user_of_this_machine(quick, monkeypatch):
    monkeypatch.setenv("LOGNAME", "carl")
    assert whoever_is_here(quick) == "carl"
    named = quick.model_copy(update={"sessions": quick.sessions.model_copy(update={"reviewer": "Ada"})})
    assert whoever_is_here(named) == "Ada"
