"""A case's course through the panel: what is known of it so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.core.verdict import Action
from doubleread.orchestrator.course.arbiter import Assessment


@dataclass(frozen=True)
class Course:
    """One case on its way."""

    case: Case
    round: int = 1
    asked_all: bool = False
    """Whether the agents that are spared at first are asked too."""
    evidence: Evidence | None = None
    answers: tuple[Answer, ...] = ()
    """Of all rounds, as they came."""
    assessments: Mapping[int, Assessment] = field(default_factory=dict)
    """By round."""

    def known(self, round_: int) -> dict[str, Answer]:
        """Each agent's latest answer up to ``round_``: an agent that was not asked again keeps its answer."""
        ordered = sorted((one for one in self.answers if one.round <= round_), key=lambda answer: answer.round)
        return {answer.agent: answer for answer in ordered}

    @property
    def action(self) -> Action:
        """Where the last assessment sends the case."""
        return self.assessments[self.round].decision.action
