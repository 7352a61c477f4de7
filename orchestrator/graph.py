"""The panel as a LangGraph graph.

    intake → (retrieve ‖ read, one branch an agent) → deliberate → assess → finish
                        ▲                                            │
                        ├─────────────── ask_more ◄──────────────────┤  agents that cost money, where they are worth it
                        └────────────── look_again ◄─────────────────┘  in doubt worth the price, or unfamiliar

The state holds JSON only; agents, retriever and arbiter are injected as the run's context. An agent that fails or
takes too long becomes an abstention: the panel degrades and the join still happens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from time import perf_counter
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.core.ports import Agent, Deliberates, Reconsiders, Retriever
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.arbiter import Arbiter, Assessment
from doubleread.orchestrator.asking import ask, consult
from doubleread.orchestrator.contest import for_second_look
from doubleread.orchestrator.state import PanelInput, PanelState, Turn, answer_key, last_answers
from doubleread.orchestrator.verdicts import verdict_of

Witness = Callable[[Case, Answer], None]
"""Told every answer as it is given."""


def nobody(case: Case, answer: Answer) -> None:
    """The witness of runs that are not recorded."""
    del case, answer


@dataclass(frozen=True)
class Seats:
    """Who takes part in a run: the agents by name, in the order the arbiter knows them.

    ``referees`` see what the agents said, not the image. ``witness`` is told every answer.
    """

    agents: Mapping[str, Agent]
    retriever: Retriever
    arbiter: Arbiter
    referees: Mapping[str, Deliberates] = field(default_factory=dict)
    witness: Witness = nobody
    agent_timeout_s: float = 60.0
    warnings: tuple[str, ...] = field(default=())


async def diagnose(case: Case, seats: Seats) -> Verdict:
    """One case through the panel. Raises nothing for a case the agents cannot read: the verdict says so."""
    began = perf_counter()
    start = PanelInput(case=case.model_dump(mode="json"))
    state: Any = await _graph().ainvoke(start, context=seats)
    return verdict_of(state, seats.arbiter, seconds=perf_counter() - began, warnings=seats.warnings)


@cache
def _graph() -> Any:
    graph = StateGraph(PanelState, context_schema=Seats, input_schema=PanelInput)
    graph.add_node("intake", intake)
    graph.add_node("retrieve", retrieve)
    graph.add_node("read", read, input_schema=Turn)
    graph.add_node("deliberate", deliberate)
    graph.add_node("assess", assess)
    graph.add_node("ask_more", ask_more)
    graph.add_node("look_again", look_again)
    graph.add_edge(START, "intake")
    graph.add_edge("intake", "retrieve")
    graph.add_conditional_edges("intake", ask_everyone, ["read"])
    graph.add_edge("retrieve", "deliberate")
    graph.add_edge("read", "deliberate")
    graph.add_edge("deliberate", "assess")
    graph.add_conditional_edges("assess", route, {"ask_more": "ask_more", "look_again": "look_again", "finish": END})
    graph.add_conditional_edges("ask_more", ask_everyone, ["read", "deliberate"])
    graph.add_conditional_edges("look_again", ask_everyone, ["read", "deliberate"])
    return graph.compile(name="doubleread-panel")


async def intake(state: PanelState) -> Json:
    """Opens the first round."""
    del state
    return {"round": 1}


async def retrieve(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Finds the evidence, beside the first reading."""
    evidence = await runtime.context.retriever.find(_case(state))
    return {"evidence": evidence.model_dump(mode="json")}


def ask_everyone(state: PanelState, runtime: Runtime[Seats]) -> list[Send] | str:
    """One reading for each agent whose turn it is; straight on where it is nobody's."""
    turn, seats = state.get("round", 1), runtime.context
    evidence = state.get("evidence") if turn > 1 else None
    asked = [name for name in seats.agents if _is_asked(name, state, seats)]
    turns = [Send("read", Turn(case=state["case"], agent=name, round=turn, evidence=evidence)) for name in asked]
    return turns or "deliberate"


def _is_asked(name: str, state: PanelState, seats: Seats) -> bool:
    """First the agents that cost nothing, then the others; in a second look those that can and should look again."""
    turn, arbiter = state.get("round", 1), seats.arbiter
    known = last_answers(state, turn)
    if turn > 1:
        return name in known and _can_look_again(name, seats)
    return name not in known and (state.get("asked_all", False) or name not in arbiter.spared({}))


def _can_look_again(name: str, seats: Seats) -> bool:
    return isinstance(seats.agents.get(name), Reconsiders) and seats.arbiter.looks_again(name)


async def read(state: Turn, runtime: Runtime[Seats]) -> Json:
    """One agent's answer in one round."""
    name, round_, seats = state["agent"], state["round"], runtime.context
    answer = await ask(
        name,
        seats.agents[name],
        Case.model_validate(state["case"]),
        None if state["evidence"] is None else Evidence.model_validate(state["evidence"]),
        task=seats.arbiter.task,
        round_=round_,
        timeout_s=seats.agent_timeout_s,
    )
    seats.witness(Case.model_validate(state["case"]), answer)
    return {"answers": {answer_key(round_, name): answer.model_dump(mode="json")}}


async def deliberate(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """What the referees make of the round's answers; nothing without referees."""
    seats, turn = runtime.context, state.get("round", 1)
    arbiter, answers = seats.arbiter, last_answers(state, turn)
    said = {name: answer for name, answer in answers.items() if name not in seats.referees}
    waiting = arbiter.left_out if state.get("asked_all", False) else (*arbiter.left_out, *arbiter.spared({}))
    referees = {name: r for name, r in seats.referees.items() if name not in waiting}
    given = await consult(referees, said, arbiter.records(said), _evidence(state), task=arbiter.task, round_=turn)
    for answer in given.values():
        seats.witness(_case(state), answer)
    return {"answers": {answer_key(turn, name): answer.model_dump(mode="json") for name, answer in given.items()}}


async def assess(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Fuses the round's answers and says what should happen next."""
    turn, seats = state.get("round", 1), runtime.context
    first, last = last_answers(state, 1), last_answers(state, turn)
    assessment = seats.arbiter.assess(
        first,
        last,
        _evidence(state),
        round_=turn,
        can_ask_more=not state.get("asked_all", False),
        can_look_again=any(_can_look_again(name, seats) for name in first),
    )
    return {"assessments": {str(turn): assessment.model_dump(mode="json")}}


def route(state: PanelState) -> Literal["ask_more", "look_again", "finish"]:
    """Where the assessment sends the case."""
    action = Assessment.model_validate(state["assessments"][str(state.get("round", 1))]).decision.action
    if action == "ask-more":
        return "ask_more"
    return "look_again" if action == "second-look" else "finish"


async def ask_more(state: PanelState) -> Json:
    """Opens the first round to the agents that were spared."""
    del state
    return {"asked_all": True}


async def look_again(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Opens the next round, with the cases that tell the contested labels apart."""
    turn, seats, evidence = state.get("round", 1), runtime.context, _evidence(state)
    if evidence is None:
        return {"round": turn + 1}
    answers = last_answers(state, turn).values()
    evidence = await for_second_look(_case(state), seats.arbiter.task, answers, evidence, seats.retriever)
    return {"round": turn + 1, "evidence": evidence.model_dump(mode="json")}


def _evidence(state: PanelState) -> Evidence | None:
    return Evidence.model_validate(state["evidence"]) if "evidence" in state else None


def _case(state: PanelState) -> Case:
    return Case.model_validate(state["case"])
