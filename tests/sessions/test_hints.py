"""An image read again with a person's hint: who hears it, what is said of it, and what never learns from it."""

import pytest
from models_kit import texts
from pydantic import ValidationError
from sessions_kit import picture, referring, until

from doubleread.agents.recorded.book import read_book
from doubleread.core.errors import SessionError
from doubleread.mock_server import running
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.panel import Panel
from doubleread.panel.outcomes import read_outcomes
from doubleread.rag.images.case_images import Images
from doubleread.sessions._grounding import plain_text
from doubleread.sessions.engine import Sessions
from doubleread.sessions.manner import named_in
from doubleread.sessions.record import MAX_HINT, How, Read, Reply
from doubleread.sessions.talk import answer
from doubleread.settings import load_settings

HINT = "the plant was sprayed with copper"


@pytest.fixture(scope="module")
def mock(dataset):
    images = Images()
    says = DryRun(dataset.cases, [thumbnail(images.open(case)) for case in dataset.cases], accuracy=0.8)
    with running(otherwise=says) as server:
        yield server


@pytest.fixture(scope="module")
def asking(dataset, settings, mock, tmp_path_factory):
    """Settings of a panel with a model, and its folder; the model costs money and is asked in a tenth of all cases."""
    folder = tmp_path_factory.mktemp("asking")
    flags = {
        "encoder": {**settings.encoder.model_dump(), "cache_dir": str(folder / "cache")},
        "trust": {"folds": 2, "consistency_cases": 0},
        "panel": {"agents": ("logistic", "neighbours", "gpt")},
        "cascade": {"max_share": 0.1},
        "vlm": {"gpt": {"model": "m", "base_url": mock.base_url, "price": {"input": 2.5, "output": 10.0}}},
    }
    chosen = load_settings(None, flags)
    with Panel.fit(dataset.cases, dataset.task, settings=chosen) as panel:
        return chosen, panel.save(folder / "panel")


@pytest.fixture
async def sessions(asking, tmp_path):
    """Sessions of that panel, which refers everything; what the agents say is recorded."""
    settings, folder = asking
    recording = load_settings(None, {**settings.model_dump(), "run": {"record": str(tmp_path / "record.jsonl")}})
    with referring(Panel.load(folder, settings=recording)) as panel:
        opened = Sessions(panel, tmp_path / "sessions")
        yield opened
        await opened.close()


async def read_one(sessions, tmp_path):
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(tmp_path, 2, seed=9100), "leaf.png")
    await sessions.read(session, case)
    await sessions.settled(session)
    return session, case


def warnings(event):
    return "\n".join(event.data["warnings"])


async def test_look_again_with_a_hint_is_heard_by_the_model_and_the_verdict_says_what_it_rests_on(
    sessions, mock, tmp_path
):
    session, _ = await read_one(sessions, tmp_path)
    before, asked = len(await sessions.events(session)), len(mock.server.requests)
    await sessions.say(session, f"look again, {HINT}")
    await sessions.settled(session)
    told = await sessions.events(session, before)
    sent = [received.body for received in mock.server.requests[asked:]]
    assert sent
    assert all(any(f"<note>{HINT}</note>" in text for text in texts(body)) for body in sent)
    reply = plain_text(Reply.model_validate(next(e.data for e in told if e.kind == "reply")))
    assert "gpt gets this unverified hint from a person" in reply
    assert "logistic, neighbours cannot take hints" in reply
    assert "records were measured without hints" in reply
    verdict = next(e for e in told if e.kind == "verdict")
    assert (
        f"gpt read with a person's unverified hint; the agents' records were measured without hints: “{HINT}”"
        in warnings(verdict)
    )
    assert "read with other settings (a second look in any case; a hint)" in warnings(verdict)
    assert verdict.data["spared"] == []
    assert "gpt" in {one["agent"] for one in verdict.data["opinions"]}
    assert [e.data["how"]["hint"] for e in told if e.kind == "asked"] == [HINT] * 2


async def test_a_hint_that_names_a_label_is_said_to_lead(sessions, tmp_path):
    session, case = await read_one(sessions, tmp_path)
    await sessions.read(session, case, How(hint="I am sure that this is Green."))
    await sessions.settled(session)
    verdict = [e for e in await sessions.events(session) if e.kind == "verdict"][-1]
    assert "the hint names green: agents tend to repeat an answer that they are given" in warnings(verdict)


@pytest.mark.parametrize(
    ("hint", "named"),
    [("it is rust.", ("rust",)), ("rusty water", ()), ("BROWN-SPOT?", ("brown spot",)), ("brown", ())],
)
def test_labels_are_found_in_a_hint_as_whole_words(hint, named):
    assert named_in(hint, ("rust", "brown spot")) == named


async def test_neither_trust_nor_the_work_list_nor_a_recording_takes_a_hinted_reading_for_a_plain_one(
    sessions, tmp_path
):
    session, case = await read_one(sessions, tmp_path)
    plain = next(e for e in await sessions.events(session) if e.kind == "verdict")
    said = read_book(tmp_path / "record.jsonl").answers
    await sessions.read(session, case, How(hint=HINT))
    await sessions.settled(session)
    assert read_book(tmp_path / "record.jsonl").answers == said
    (waiting,) = await sessions.waiting()
    assert waiting.reasons[-1] == "read with a hint"
    await sessions.decide(session, waiting.reading, "green")
    panel = sessions._desk._panel
    try:
        (outcome,) = read_outcomes(panel.folder).standing
        assert outcome.posterior == plain.data["posterior"]
    finally:
        panel.retract(case)


async def test_a_picture_that_was_only_read_with_a_hint_teaches_trust_nothing(sessions, tmp_path):
    session = (await sessions.create()).id
    case = await sessions.add(session, picture(tmp_path, 1, seed=9101), "leaf.png")
    reading = await sessions.read(session, case, How(hint=HINT))
    await until(sessions, session, "waiting")
    await sessions.decide(session, reading, "green")
    decided = (await sessions.events(session))[-1]
    assert "read with other settings only" in decided.data["kept"]
    assert read_outcomes(sessions._desk._panel.folder).standing == ()


async def test_a_hint_outlives_the_process_that_was_told_it(asking, mock, tmp_path):
    settings, folder = asking
    with Panel.load(folder, settings=settings) as panel:
        first = Sessions(panel, tmp_path / "sessions")
        session = (await first.create()).id
        case = await first.add(session, picture(tmp_path, 0, seed=9102), "leaf.png")
        started = first._desk._log.begin(session, case, How(hint=HINT), first._desk._owner.name)
        await first.close()
        asked = len(mock.server.requests)
        second = Sessions(panel, tmp_path / "sessions")
        told = await until(second, session, "verdict", "failed")
        await second.close()
    assert (told[-1].kind, told[-1].reading) == ("verdict", started.id)
    assert all(HINT in str(received.body) for received in mock.server.requests[asked:])
    assert HINT in warnings(told[-1])


async def test_a_panel_that_reads_no_text_says_so_and_reads_nothing_again(made, quick, tmp_path):
    with Panel.load(made, settings=quick) as panel:
        opened = Sessions(panel, tmp_path / "sessions")
        session, case = await read_one(opened, tmp_path)
        await opened.say(session, f"/read-again hint: {HINT}")
        await opened.settled(session)
        events = await opened.events(session)
        with pytest.raises(SessionError, match="no agent of this panel reads text"):
            await opened.read(session, case, How(hint=HINT))
        await opened.close()
    assert [e.kind for e in events].count("asked") == 1
    assert "no agent of this panel reads text" in str(events[-1].data)


async def test_who_could_use_it_must_not_be_left_out(sessions, tmp_path):
    session, case = await read_one(sessions, tmp_path)
    with pytest.raises(SessionError, match="only gpt could use a hint, and is left out"):
        await sessions.read(session, case, How(without=("gpt",), hint=HINT))
    standing = await sessions._desk._standing(session, case)
    answered = await answer(f"/read-again only logistic hint: {HINT}", standing)
    assert answered.orders == ()
    assert "is left out: nothing was read" in plain_text(answered.reply)
    assert (await answer(f"/read-again only gpt hint: {HINT}", standing)).orders == (
        Read(how=How(only=("gpt",), hint=HINT)),
    )


def test_a_hint_is_one_line_of_what_can_be_shown_and_not_too_long():
    assert How(hint="  wet\n\nleaf\x1b[2J\u202e\U000e0041 ").hint == "wet leaf [2J"
    assert How(hint="x" * MAX_HINT).hint
    with pytest.raises(ValidationError, match=f"at most {MAX_HINT}"):
        How(hint="x" * (MAX_HINT + 1))
