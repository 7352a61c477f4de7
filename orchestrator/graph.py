"""The panel as a LangGraph graph.

    intake → (retrieve ‖ read, one branch an agent) → assess → finish
                        ▲                               │
                        └────────── look_again ◄────────┘   on disagreement, low margin or suspicious evidence

The state holds JSON only; agents, retriever and arbiter are injected as the run's context. An agent that fails or
takes too long becomes an abstention: the panel degrades and the join still happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from time import perf_counter
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.ports import Agent, Reconsiders, Retriever
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.arbiter import Arbiter, Assessment
from doubleread.orchestrator.asking import ask
from doubleread.orchestrator.state import PanelInput, PanelState, Turn, answer_key, last_answers
from doubleread.orchestrator.verdicts import verdict_of


@dataclass(frozen=True)
class Seats:
    """Who takes part in a run: the agents by name, in the order the arbiter knows them."""

    agents: Mapping[str, Agent]
    retriever: Retriever
    arbiter: Arbiter
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
    graph.add_node("assess", assess)
    graph.add_node("look_again", look_again)
    graph.add_edge(START, "intake")
    graph.add_edge("intake", "retrieve")
    graph.add_conditional_edges("intake", ask_everyone, ["read"])
    graph.add_edge("retrieve", "assess")
    graph.add_edge("read", "assess")
    graph.add_conditional_edges("assess", route, {"look_again": "look_again", "finish": END})
    graph.add_conditional_edges("look_again", ask_everyone, ["read"])
    return graph.compile(name="doubleread-panel")


async def intake(state: PanelState) -> Json:
    """Opens the first round."""
    del state
    return {"round": 1}


async def retrieve(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Finds the evidence, beside the first reading."""
    evidence = await runtime.context.retriever.find(_case(state))
    return {"evidence": evidence.model_dump(mode="json")}


def ask_everyone(state: PanelState, runtime: Runtime[Seats]) -> list[Send]:
    """One reading for each agent; from the second round on only for those that can look again."""
    turn = state.get("round", 1)
    asked = [n for n, agent in runtime.context.agents.items() if turn == 1 or isinstance(agent, Reconsiders)]
    evidence = state.get("evidence") if turn > 1 else None
    return [Send("read", Turn(case=state["case"], agent=name, round=turn, evidence=evidence)) for name in asked]


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
    return {"answers": {answer_key(round_, name): answer.model_dump(mode="json")}}


async def assess(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Fuses the round's answers and says what should happen next."""
    turn = state.get("round", 1)
    evidence = Evidence.model_validate(state["evidence"]) if "evidence" in state else None
    able = any(isinstance(agent, Reconsiders) for agent in runtime.context.agents.values())
    first, last = last_answers(state, 1), last_answers(state, turn)
    assessment = runtime.context.arbiter.assess(first, last, evidence, round_=turn, can_look_again=able)
    return {"assessments": {str(turn): assessment.model_dump(mode="json")}}


def route(state: PanelState) -> Literal["look_again", "finish"]:
    """Where the assessment sends the case."""
    assessment = Assessment.model_validate(state["assessments"][str(state.get("round", 1))])
    return "look_again" if assessment.decision.action == "second-look" else "finish"


async def look_again(state: PanelState) -> Json:
    """Opens the next round."""
    return {"round": state.get("round", 1) + 1}


def _case(state: PanelState) -> Case:
    return Case.model_validate(state["case"])
