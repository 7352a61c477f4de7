"""The panel as a LangGraph graph.

    intake → (retrieve ‖ read, one branch an agent) → deliberate → assess → finish
                        ▲                                            │
                        ├─────────────── ask_more ◄──────────────────┤  agents that cost money, where they are worth it
                        └────────────── look_again ◄─────────────────┘  in doubt worth the price, or unfamiliar

The state holds JSON only; agents, retriever and arbiter are injected as the run's context. An agent that fails or
takes too long becomes an abstention: the panel degrades and the join still happens.
"""

from functools import cache
from time import perf_counter
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from doubleread.core.case import Case
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict
from doubleread.orchestrator import steps
from doubleread.orchestrator.seats import Seats
from doubleread.orchestrator.state import PanelInput, PanelState, Turn, by_key, course_of, turn_of
from doubleread.orchestrator.verdicts import verdict_of


async def diagnose(case: Case, seats: Seats) -> Verdict:
    """One case through the panel. Raises nothing for a case the agents cannot read: the verdict says so."""
    began = perf_counter()
    start = PanelInput(case=case.model_dump(mode="json"))
    state: Any = await _graph().ainvoke(start, context=seats)
    return verdict_of(course_of(state), seats.arbiter, seconds=perf_counter() - began, warnings=seats.warnings)


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
    evidence = await runtime.context.retriever.find(Case.model_validate(state["case"]))
    return {"evidence": evidence.model_dump(mode="json")}


def ask_everyone(state: PanelState, runtime: Runtime[Seats]) -> list[Send] | str:
    """One reading for each agent whose turn it is; straight on where it is nobody's."""
    turn = state.get("round", 1)
    evidence = state.get("evidence") if turn > 1 else None
    asked = steps.whose_turn(course_of(state), runtime.context)
    turns = [Send("read", Turn(case=state["case"], agent=name, round=turn, evidence=evidence)) for name in asked]
    return turns or "deliberate"


async def read(state: Turn, runtime: Runtime[Seats]) -> Json:
    """One agent's answer in one round."""
    answer = await steps.read(state["agent"], turn_of(state), runtime.context)
    return {"answers": by_key([answer])}


async def deliberate(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """What the referees make of the round's answers; nothing without referees."""
    return {"answers": by_key(await steps.deliberate(course_of(state), runtime.context))}


async def assess(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Fuses the round's answers and says what should happen next."""
    assessment = steps.assess(course_of(state), runtime.context)
    return {"assessments": {str(state.get("round", 1)): assessment.model_dump(mode="json")}}


def route(state: PanelState) -> Literal["ask_more", "look_again", "finish"]:
    """Where the assessment sends the case."""
    action = state["assessments"][str(state.get("round", 1))]["decision"]["action"]
    if action == "ask-more":
        return "ask_more"
    return "look_again" if action == "second-look" else "finish"


async def ask_more(state: PanelState) -> Json:
    """Opens the first round to the agents that were spared."""
    del state
    return {"asked_all": True}


async def look_again(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Opens the next round, with the cases that tell the contested labels apart."""
    opened = {"round": state.get("round", 1) + 1}
    evidence = await steps.look_again(course_of(state), runtime.context)
    return opened if evidence is None else {**opened, "evidence": evidence.model_dump(mode="json")}
