"""The graph's state: JSON values only, so that a checkpoint holds no image, array or class."""

from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import TypeAdapter

from doubleread.core.opinion import Answer
from doubleread.core.types import Json

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
    evidence: NotRequired[Json]
    answers: NotRequired[Annotated[Json, merge]]
    """``"round/agent"`` → opinion or abstention."""
    assessments: NotRequired[Annotated[Json, merge]]
    """``"round"`` → assessment."""


class Turn(TypedDict):
    """What one agent is asked in one round."""

    case: Json
    agent: str
    round: int
    evidence: Any


def answer_key(round_: int, agent: str) -> str:
    """Key of an answer in the state."""
    return f"{round_}/{agent}"


def last_answers(state: PanelState, round_: int) -> dict[str, Answer]:
    """Each agent's latest answer up to ``round_``: an agent that was not asked again keeps its answer."""
    answers = [ANSWER.validate_python(value) for value in state.get("answers", {}).values()]
    known = sorted((a for a in answers if a.round <= round_), key=lambda answer: answer.round)
    return {answer.agent: answer for answer in known}
