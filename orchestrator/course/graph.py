"""The panel as a LangGraph graph: one node chooses the next step, the others carry it out and return.

    step → (retrieve ‖ read, one branch per agent) → step
         → consult → step          referees weigh the answers
         → contrast → step         a second look: cases that distinguish the contested labels
         → decide                  a referred case waits for a person, if one can decide

The state holds JSON only, so checkpoints contain no image, array or class; agents, retriever and arbiter are injected
as the run's context. ``step`` depends only on the state, so an interrupted run continues where it stopped.
"""

from collections.abc import Iterable
from functools import cache
from time import perf_counter
from typing import Annotated, Any, NotRequired, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send, interrupt
from pydantic import TypeAdapter

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.course.arbiter import Assessment
from doubleread.orchestrator.course.course import AgentsToAsk, Course, RefereesToConsult, next_step
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.course.verdicts import verdict_of

ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


def merge(left: Json, right: Json) -> Json:
    """Reducer for keys that several nodes write; writing a key again changes nothing."""
    return {**left, **right}


class PanelInput(TypedDict):
    """Input of a run."""

    case: Json


class PanelState(PanelInput):
    """State of one case in the panel; see ``Course``."""

    round: NotRequired[int]
    asked_all: NotRequired[bool]
    asked: NotRequired[Annotated[Json, merge]]
    """Agents asked, by turn."""
    evidence: NotRequired[Json]
    answers: NotRequired[Annotated[Json, merge]]
    """Opinion or abstention by turn and agent."""
    assessments: NotRequired[Annotated[Json, merge]]
    """Assessments by round."""
    decided: NotRequired[Json]
    """A person's decision on a referred case."""


class ReadTask(TypedDict):
    """Request to one agent in one turn."""

    case: Json
    agent: str
    round: int
    turn: NotRequired[str]
    """Absent from checkpoints of older releases."""
    evidence: Any


async def diagnose(case: Case, seats: Seats) -> Verdict:
    """Diagnoses one case. Raises nothing for unreadable cases: the verdict reports them."""
    began = perf_counter()
    start = PanelInput(case=case.model_dump(mode="json"))
    state: Any = await _graph().ainvoke(start, context=seats)
    return verdict_of(case, course_of(state), seats, seconds=perf_counter() - began)


@cache
def _graph() -> Any:
    return _panel_graph(END).compile(name="doubleread-panel")


def waiting_graph(checkpointer: Any) -> Any:
    """Compiles the graph with a checkpointer; a referred case waits for a person."""
    graph = _panel_graph("decide")
    graph.add_node("decide", decide)
    return graph.compile(checkpointer, name="doubleread-reading")


def _panel_graph(referred: str) -> Any:
    graph = StateGraph(PanelState, context_schema=Seats, input_schema=PanelInput)
    graph.add_node("step", step_to(referred))
    graph.add_node("read", read, input_schema=ReadTask)
    graph.add_edge(START, "step")
    graph.add_edge("read", "step")
    for name, node in (("retrieve", retrieve), ("consult", consult), ("contrast", contrast)):
        graph.add_node(name, node)
        graph.add_edge(name, "step")
    return graph


def step_to(referred: str) -> Any:
    """Returns the node that takes the next step; ``referred`` is the node for referred cases."""

    async def step(state: PanelState, runtime: Runtime[Seats]) -> Command[str]:
        course, task = next_step(course_of(state), runtime.context.roster)
        changes: Json = {
            "round": course.round,
            "asked_all": course.asked_all,
            "assessments": {str(turn): one.model_dump(mode="json") for turn, one in course.assessments.items()},
        }
        if isinstance(task, AgentsToAsk):
            asked = {"asked": {course.turn: list(task.agents)}}
            return Command(update={**changes, **asked}, goto=_asking(state, course, task))
        if task is None:
            return Command(update=changes, goto=referred if course.assessment.decision.action == "refer" else END)
        return Command(update=changes, goto="consult" if isinstance(task, RefereesToConsult) else "contrast")

    return step


def _asking(state: PanelState, course: Course, task: AgentsToAsk) -> list[str | Send]:
    """One reading per agent due, concurrent with retrieval."""
    turn = ReadTask(
        case=state["case"],
        agent="",
        round=course.round,
        turn=course.turn,
        evidence=state.get("evidence") if course.round > 1 else None,
    )
    finding: list[str | Send] = ["retrieve"] if course.evidence is None else []
    return [*finding, *(Send("read", {**turn, "agent": name}) for name in task.agents)]


async def retrieve(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Retrieves the evidence."""
    evidence = await runtime.context.retriever.find(Case.model_validate(state["case"]))
    return {"evidence": evidence.model_dump(mode="json")}


async def read(state: ReadTask, runtime: Runtime[Seats]) -> Json:
    """One agent's answer in one turn."""
    seats, shown = runtime.context, state["evidence"]
    answer = await seats.read(
        state["agent"],
        Case.model_validate(state["case"]),
        None if shown is None else Evidence.model_validate(shown),
        task=seats.arbiter.task,
        round_=state["round"],
    )
    return {"answers": _by_key(state.get("turn", str(state["round"])), [answer])}


async def consult(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Returns the referees' opinions on the turn's answers."""
    seats, case = runtime.context, Case.model_validate(state["case"])
    course, task = next_step(course_of(state), seats.roster)
    answers = await seats.consult(task, case, course, seats.arbiter.task) if isinstance(task, RefereesToConsult) else ()
    return {"answers": _by_key(course.turn, answers)}


async def contrast(state: PanelState, runtime: Runtime[Seats]) -> Json:
    """Starts the next round with cases that distinguish the contested labels."""
    seats, case, course = runtime.context, Case.model_validate(state["case"]), course_of(state)
    evidence = Evidence.model_validate(state["evidence"])
    opened = course.next_round(await seats.contrast(seats.roster.contested(course), case, evidence))
    return {"round": opened.round, "evidence": opened.evidence and opened.evidence.model_dump(mode="json")}


async def decide(state: PanelState) -> Json:
    """Waits for a person's decision, without a time limit."""
    return {"decided": interrupt(state["assessments"][str(state.get("round", 1))]["decision"])}


def course_of(state: PanelState) -> Course:
    """Restores the course from the state."""
    assessments = state.get("assessments", {}).items()
    return Course(
        round=state.get("round", 1),
        asked_all=state.get("asked_all", False),
        evidence=Evidence.model_validate(state["evidence"]) if "evidence" in state else None,
        answers={key: ANSWER.validate_python(value) for key, value in state.get("answers", {}).items()},
        assessments={int(turn): Assessment.model_validate(value) for turn, value in assessments},
    )


def _by_key(turn: str, answers: Iterable[Answer]) -> Json:
    return {f"{turn}/{one.agent}": one.model_dump(mode="json") for one in answers}
