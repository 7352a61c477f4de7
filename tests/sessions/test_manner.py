"""Fewer agents, some by name, a second look in any case: the panel's trust stays, and the verdict says so."""

from dataclasses import replace

import pytest
from kit import ScriptedAgent, ScriptedRetriever, SecondThoughts, case_of, evidence_for, opinion
from scripts_kit import Script, panel

from doubleread.core.errors import SessionError, UnknownPart
from doubleread.orchestrator.course.follow import follow
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Seats
from doubleread.sessions.manner import check, seated
from doubleread.sessions.record import How

SCRIPTS = {
    "a": Script(0.8, then=0.97),
    "b": Script(0.75, then=0.9),
    "dear": Script(0.95, then=0.98, usd=0.001),
}
CASE = case_of("leaf")


@pytest.fixture(scope="module")
def arbiter():
    fitted = panel(SCRIPTS, policy=Policy(max_share=0.4, ask_share=0.3))
    assert fitted.spared({}) == ("dear",)
    assert fitted.second is not None
    return fitted


def seats(arbiter, kind=SecondThoughts):
    says = {name: opinion(name, 0.05, 0.9, 0.05) for name in SCRIPTS}
    agents = {name: kind(name, said) for name, said in says.items()}
    return Seats(agents, ScriptedRetriever(evidence_for("rust")), arbiter)


async def read(how, given):
    """The verdict, which is the same on both ways."""
    verdict = await diagnose(CASE, seated(how, given))
    assert (await follow(CASE, seated(how, given))).posterior == verdict.posterior
    return verdict


def spoke(verdict):
    return {one.agent for one in verdict.opinions}


async def test_nothing_said_is_as_fitted(arbiter):
    given = seats(arbiter)
    assert seated(How(), given) is given
    verdict = await read(How(), given)
    assert (spoke(verdict), verdict.spared, verdict.warnings) == ({"a", "b"}, ("dear",), ())


async def test_an_agent_left_out_is_absent_not_missing(arbiter):
    verdict = await read(How(without=("b",)), seats(arbiter))
    assert spoke(verdict) == {"a"}
    assert set(verdict.influence) == {"a"}
    assert verdict.warnings == (
        "read with other settings (without b): trust and guarantees are those of the panel as fitted",
    )


async def test_an_agent_left_out_is_not_spared_for_its_price(arbiter):
    verdict = await read(How(without=("dear",)), seats(arbiter))
    assert (spoke(verdict), verdict.spared) == ({"a", "b"}, ())


@pytest.mark.parametrize("how", [How(only=("dear",)), How(without=("a", "b")), How(only=("a", "dear"))])
async def test_who_is_asked_for_by_name_or_alone_is_asked_at_once(arbiter, how):
    verdict = await read(how, seats(arbiter))
    assert spoke(verdict) == set(how.only or ("dear",))
    assert verdict.posterior["rust"] > 0.5


async def test_a_second_look_that_is_asked_for_is_taken(arbiter):
    assert (await read(How(), seats(arbiter))).second_look is None
    verdict = await read(How(look_again=True), seats(arbiter))
    assert verdict.second_look.reasons == ("asked for",)
    assert {one.round for one in verdict.opinions} == {1, 2}
    assert verdict.decision.action in ("commit", "refer")


async def test_a_second_look_that_nobody_can_take_is_told(arbiter):
    verdict = await read(How(look_again=True), seats(arbiter, ScriptedAgent))
    assert verdict.second_look is None
    assert "a second look was asked for, but none of the agents can take one" in verdict.warnings


async def test_a_second_look_that_was_found_worthless_is_shown_but_not_counted(arbiter):
    off = replace(arbiter, second=None, policy=arbiter.policy.model_copy(update={"looking": None}))
    before = await read(How(), seats(off))
    verdict = await read(How(look_again=True), seats(off))
    assert verdict.second_look is not None
    assert verdict.posterior == before.posterior
    assert any("shown, but not counted" in one for one in verdict.warnings)


def test_names_are_checked():
    check(How(only=("a",)), ("a", "b"))
    with pytest.raises(UnknownPart, match="known: a, b"):
        check(How(without=("c",)), ("a", "b"))
    with pytest.raises(SessionError, match="no agent is left"):
        check(How(only=("a",), without=("a",)), ("a", "b"))


def test_a_referee_cannot_read_alone(arbiter):
    with pytest.raises(SessionError, match="only weighs what others say"):
        seated(How(only=("judge",)), replace(seats(arbiter), referees={"judge": object()}))
