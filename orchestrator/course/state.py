"""The graph's state: JSON values only, so that a checkpoint holds no image, array or class."""

from collections.abc import Iterable
from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import TypeAdapter

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.core.types import Json
from doubleread.orchestrator.course.arbiter import Assessment
from doubleread.orchestrator.course.course import Course

ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


def merge(left: Json, right: Json) -> Json:
    """Reducer of keys that several nodes write at once; writing the same key again changes nothing."""
    return {**left, **right}


class PanelInput(TypedDict):
    """What a run starts from."""

    case: Json


class PanelState(TypedDict):
    """One case on its way through the panel."""

    case: Json
    round: NotRequired[int]
    asked_all: NotRequired[bool]
    """Whether the agents that are spared at first are asked too."""
    asked: NotRequired[Annotated[Json, merge]]
    """``turn_name`` → the agents whose turn it was."""
    evidence: NotRequired[Json]
    answers: NotRequired[Annotated[Json, merge]]
    """``"round/agent"`` → opinion or abstention."""
    assessments: NotRequired[Annotated[Json, merge]]
    """``"round"`` → assessment."""
    decided: NotRequired[Json]
    """What a person decided of a case that was referred."""


class Turn(TypedDict):
    """What one agent is asked in one round."""

    case: Json
    agent: str
    round: int
    evidence: Any


def turn_name(state: PanelState) -> str:
    """The round, and whether it is open to everyone."""
    return f"{state.get('round', 1)}/all" if state.get("asked_all") else f"{state.get('round', 1)}"


def by_key(answers: Iterable[Answer]) -> Json:
    """Answers as they stand in the state."""
    return {f"{one.round}/{one.agent}": one.model_dump(mode="json") for one in answers}


def course_of(state: PanelState) -> Course:
    """The case's course as the state tells it."""
    assessments = state.get("assessments", {}).items()
    return Course(
        case=Case.model_validate(state["case"]),
        round=state.get("round", 1),
        asked_all=state.get("asked_all", False),
        evidence=Evidence.model_validate(state["evidence"]) if "evidence" in state else None,
        answers=tuple(ANSWER.validate_python(value) for value in state.get("answers", {}).values()),
        assessments={int(turn): Assessment.model_validate(value) for turn, value in assessments},
    )


def turn_of(turn: Turn) -> Course:
    """What one agent may know of the course in its turn."""
    evidence = None if turn["evidence"] is None else Evidence.model_validate(turn["evidence"])
    return Course(case=Case.model_validate(turn["case"]), round=turn["round"], evidence=evidence)
