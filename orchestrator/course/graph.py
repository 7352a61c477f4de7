"""The panel as a LangGraph graph.

    intake → (retrieve ‖ read, one branch an agent) → deliberate → assess → finish
                        ▲                                            │
                        ├─────────────── ask_more ◄──────────────────┤  agents that cost money, where they are worth it
                        └────────────── look_again ◄─────────────────┘  in doubt worth the price, or unfamiliar

Where somebody is there to decide, a referred case goes on to ``decide``, which waits for them (``readings.py``).

The state holds JSON only; agents, retriever and arbiter are injected as the run's context. An agent that fails or
takes too long becomes an abstention: the panel degrades and the join still happens.
"""

from functools import cache
from time import perf_counter
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send, interrupt

from doubleread.core.case import Case
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.course import steps
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.course.state import PanelInput, PanelState, Turn, by_key, course_of, turn_name, turn_of
from doubleread.orchestrator.course.verdicts import verdict_of

_FURTHER = {"ask_more": "ask_more", "look_again": "look_again"}


async def diagnose(case: Case, seats: Seats) -> Verdict:
    """One case through the panel. Raises nothing for a case the agents cannot read: the verdict says so."""
    began = perf_counter()
    start = PanelInput(case=case.model_dump(mode="json"))
    state: Any = await _graph().ainvoke(start, context=seats)
    return verdict_of(course_of(state), seats, seconds=perf_counter() - began)


@cache
def _graph() -> Any:
    graph = panel_graph()
    graph.add_conditional_edges("assess", route, {**_FURTHER, "finish": END})
    return graph.compile(name="doubleread-panel")


def waiting_graph(checkpointer: Any) -> Any:
    """The graph with a memory, where a referred case waits for a person."""
    graph = panel_graph()
    graph.add_node("decide", decide)
    graph.add_conditional_edges("assess", route_or_wait, {**_FURTHER, "finish": END, "decide": "decide"})
    return graph.compile(checkpointer, name="doubleread-reading")


def panel_graph() -> Any:
    """Everything up to what follows the assessment."""
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
    graph.add_conditional_edges("ask_more", ask_everyone, ["read", "deliberate"])
    graph.add_conditional_edges("look_again", ask_everyone, ["read", "deliberate"])
    return graph


async def intake(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Opens the first round."""
    return {"round": 1, "asked": _turn(state, runtime.context)}


async def retrieve(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Finds the evidence, beside the first reading."""
    evidence = await runtime.context.retriever.find(Case.model_validate(state["case"]))
    return {"evidence": evidence.model_dump(mode="json")}


def ask_everyone(state: PanelState) -> list[Send] | str:
    """One reading for each agent whose turn it is; straight on where it is nobody's."""
    turn = state.get("round", 1)
    evidence = state.get("evidence") if turn > 1 else None
    asked = state["asked"][turn_name(state)]
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


def route_or_wait(state: PanelState) -> Literal["ask_more", "look_again", "finish", "decide"]:
    """Where the assessment sends a case that somebody can decide."""
    action = state["assessments"][str(state.get("round", 1))]["decision"]["action"]
    return "decide" if action == "refer" else route(state)


async def decide(state: PanelState) -> Json:
    """Waits for a person's decision, as long as it takes."""
    return {"decided": interrupt(state["assessments"][str(state.get("round", 1))]["decision"])}


async def ask_more(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Opens the first round to the agents that were spared."""
    opened = {"asked_all": True}
    return {**opened, "asked": _turn({**state, **opened}, runtime.context)}


async def look_again(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Opens the next round, with the cases that tell the contested labels apart."""
    opened: Json = {"round": state.get("round", 1) + 1}
    asked = _turn({**state, **opened}, runtime.context)
    evidence = await steps.look_again(course_of(state), runtime.context)
    found = {} if evidence is None else {"evidence": evidence.model_dump(mode="json")}
    return {**opened, **found, "asked": asked}


def _turn(state: Any, seats: Seats) -> Json:
    """Whose turn it is, as it stands in the state."""
    return {turn_name(state): steps.whose_turn(course_of(state), seats)}
