"""Readings with a memory: the same course as any diagnosis, step by step; they wait, and nothing but JSON is kept."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from kit import TASK, ScriptedRetriever, SecondThoughts, case_of, evidence_for, opinion
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from scripts_kit import Script, panel

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Opinion
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Seats
from doubleread.sessions._readings import Opened, ReadingEnd, ReadingStore

SCRIPTS = {"a": Script(0.8, then=0.97), "b": Script(0.75, then=0.9), "c": Script(0.7, then=0.9)}
CASE = case_of("leaf")


@pytest.fixture(scope="module")
def arbiter():
    return panel(SCRIPTS, policy=Policy(max_share=0.4))


@pytest.fixture
async def readings(tmp_path, database):
    async with opened(tmp_path, database) as found:
        yield found


def opened(folder, database):
    """The readings of a file, or of a database with its tables."""
    if not database:
        return ReadingStore.open(folder / "readings.sqlite")
    from doubleread.core.postgres import connect
    from doubleread.sessions._postgres_saver import migrate

    with connect(database) as connection:
        connection.execute("create schema doubleread")
        migrate(connection)
    return ReadingStore.open_database(database)


def kept(folder, database, sqlite, postgres):
    """What a statement finds in the file, or another one in the database."""
    if database:
        from doubleread.core.postgres import connect

        with connect(database) as db:
            return db.execute(postgres).fetchall()
    with closing(sqlite3.connect(folder / "readings.sqlite")) as db:
        return db.execute(sqlite).fetchall()


def seats(arbiter, *labels, referral=None):
    """Three agents that say these labels, and rust when they look again."""
    if referral is not None:
        task = TASK.model_copy(update={"costs": TASK.costs.model_copy(update={"referral": referral})})
        arbiter = replace(arbiter, task=task)

    def says(name, label, turn):
        return opinion(name, *(0.9 if one == label else 0.05 for one in TASK.names), round=turn)

    agents = {
        name: SecondThoughts(name, says(name, label, 1), then_says=says(name, "rust", 2))
        for name, label in zip(SCRIPTS, labels, strict=True)
    }
    return Seats(agents, ScriptedRetriever(evidence_for("rust")), arbiter)


async def follow(readings, seated, reading="one"):
    return [step async for step in readings.follow(reading, CASE, seated)]


def shape(steps):
    def of(what):
        if isinstance(what, Opened):
            return f"asked {''.join(what.agents)} in round {what.round}"
        return "answer" if isinstance(what, Opinion) else type(what).__name__.lower()

    return [of(step.what) for step in steps]


async def test_every_step_is_told_as_it_happens(readings, arbiter):
    steps = await follow(readings, seats(arbiter, "scab", "rust", "scab"))
    told = shape(steps)
    assert told[0] == "asked abc in round 1"
    assert sorted(told[1:5]) == ["answer"] * 3 + ["evidence"]
    assert told[5:] == ["evidence", "asked abc in round 2", "answer", "answer", "answer", "readingend"]
    assert len({step.key for step in steps}) == len(steps)
    assert isinstance(steps[5].what, Evidence)


@pytest.mark.parametrize("labels", [("rust", "rust", "rust"), ("scab", "rust", "scab")])
async def test_the_verdict_is_that_of_a_diagnosis(readings, arbiter, labels):
    ended = (await follow(readings, seats(arbiter, *labels)))[-1].what
    plain = await diagnose(CASE, seats(arbiter, *labels))
    assert ended.verdict.posterior == plain.posterior
    assert ended.verdict.decision == plain.decision
    assert (ended.verdict.second_look is None) == (plain.second_look is None)
    assert ended.waits == (plain.decision.action == "refer")


async def test_a_reading_that_has_ended_is_told_again_and_nobody_asked(readings, arbiter):
    seated = seats(arbiter, "scab", "rust", "scab")
    once = await follow(readings, seated)
    again = await follow(readings, seated)
    assert all(len(agent.asked) == 1 for agent in seated.agents.values())
    assert {step.key for step in again} <= {step.key for step in once}
    assert {step.key for step in once if step.key.startswith(("answer", "asked"))} <= {step.key for step in again}


async def test_a_referred_case_waits_for_a_decision(readings, arbiter):
    (*_, last) = await follow(readings, seats(arbiter, "rust", "rust", "rust", referral=0.0))
    assert isinstance(last.what, ReadingEnd)
    assert last.what.waits
    assert await readings.decided("one") is None
    await readings.decide("one", {"label": "scab"})
    assert await readings.decided("one") == {"label": "scab"}
    await readings.decide("one", {"label": "rust"})
    assert await readings.decided("one") == {"label": "scab"}


async def test_a_committed_case_does_not_wait(readings, arbiter):
    await follow(readings, seats(arbiter, "rust", "rust", "rust"))
    await readings.decide("one", {"label": "scab"})
    assert await readings.decided("one") is None


async def test_only_json_is_kept_and_no_class_is_read_back(readings, arbiter, tmp_path, database):
    await follow(readings, seats(arbiter, "rust", "rust", "rust", referral=0.0))
    blobs = kept(
        tmp_path,
        database,
        "select checkpoint from checkpoints union all select value from writes",
        "select convert_to(checkpoint::text, 'utf8') from checkpoints union all select blob from checkpoint_writes "
        "union all select blob from checkpoint_blobs where blob is not null",
    )
    text = b"".join(bytes(blob) for (blob,) in blobs)
    assert b"answers" in text
    assert b"doubleread" not in text
    foreign = JsonPlusSerializer(allowed_msgpack_modules=True).dumps_typed(CASE)
    assert not isinstance(readings._saver.serde.loads_typed(foreign), type(CASE))


async def test_a_forgotten_reading_is_not_there(readings, arbiter, tmp_path, database):
    await follow(readings, seats(arbiter, "rust", "rust", "rust"))
    everything = (
        "select count(*) from checkpoints union all select count(*) from writes",
        "select count(*) from checkpoints union all select count(*) from checkpoint_blobs",
    )
    assert all(n > 0 for (n,) in kept(tmp_path, database, *everything))
    await readings.forget("one")
    assert {n for (n,) in kept(tmp_path, database, *everything)} == {0}
