"""Who can answer while a panel is fitted: an agent that never does is found out early, before it costs much.

Second looks are judged by themselves too: an agent may read single images well and yet take no second look, for
example because its server takes one image in a question.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from doubleread.core.agent_ports import Agent
from doubleread.core.case import Case
from doubleread.core.errors import PanelError
from doubleread.core.opinion import PERMANENT, Abstention, AbstentionCause, Answer, Usage
from doubleread.orchestrator.learning.arbitration import Readings

PROOF = 20
"""Failures that prove that an agent cannot answer: so many in a row of one cause, or all of the first so many."""
OF_THE_QUESTION: frozenset[AbstentionCause] = frozenset({"unsupported"})
"""Permanent causes that may lie in what a second look sends: first looks that were answered speak for the agent."""
REMEDIES: Mapping[AbstentionCause, str] = {
    "authentication": "Check its key_variable, and what the key may do.",
    "not-found": "Check its model and base_url.",
    "unsupported": "Choose a model and a server that take what this agent sends.",
    "quota": "Add credit, or wait until the quota is renewed.",
    "budget": "Raise the budget.",
    "bad-request": "Correct its settings by what the server says.",
    "invalid-answer": "Choose another model or another `confidence`: its answers cannot be read.",
    "refusal": "Choose another model, or describe the task in other words.",
    "filter": "Choose another model, or describe the task in other words.",
    "length": "Raise its max_tokens, or lower its image_side.",
    "timeout": "Raise its attempt_timeout_s, or lower its in_flight.",
    "rate-limit": "Lower its requests_per_minute or in_flight, or raise its deadline_s.",
    "server": "Check that its server works.",
    "network": "Check that its server runs and can be reached.",
    "failure": "Correct the agent's program.",
}
"""What to do, by cause. Other causes need no call to a model; such agents are left out with a note instead."""


@dataclass
class _Record:
    """One agent's answers so far."""

    heard: int = 0
    answered: int = 0
    row: int = 0
    """Failures in a row of the cause of ``last``."""
    last: Abstention | None = None
    usage: Usage = field(default_factory=Usage)
    proof: Abstention | None = None
    """The first answer that proved that the agent cannot answer."""

    def hear(self, answer: Answer) -> None:
        self.heard += 1
        self.usage += answer.usage
        if not isinstance(answer, Abstention):
            self.answered, self.row, self.last = self.answered + 1, 0, None
            return
        self.row = self.row + 1 if self.last is not None and answer.cause == self.last.cause else 1
        self.last = answer
        of_question = answer.round > 1 and answer.cause in OF_THE_QUESTION and self.answered > 0
        permanent = answer.cause in PERMANENT and not of_question
        enough = permanent or self.row >= PROOF or (self.heard >= PROOF and not self.answered)
        if enough and answer.cause in REMEDIES and self.proof is None:
            self.proof = answer

    @property
    def failure(self) -> Abstention:
        """The answer that proves most; raises ``ValueError`` if the agent has not failed."""
        if (failure := self.proof or self.last) is None:
            raise ValueError("this agent has not failed")
        return failure

    def told(self, what: str) -> str:
        """How much of what was asked was answered, and why the rest was not."""
        return f"{self.answered} of {self.heard} {what} answered ({self.failure.cause}): {self.failure.detail}"


@dataclass(frozen=True)
class Unable:
    """Takes the place of an agent that cannot answer; gives its last answer, for nothing."""

    name: str
    last: Abstention

    async def read(self, case: Case) -> Answer:
        del case
        return self.last


@dataclass
class RollCall:
    """Hears the answers of all agents, in the order of the images; second looks count too.

    With ``keep_going`` an agent that cannot answer is no longer asked; else fitting ends with a ``PanelError``.
    """

    keep_going: bool = False
    unable: dict[str, Abstention] = field(default_factory=dict)
    """The last answer of each agent that cannot answer."""
    first_looks_only: dict[str, str] = field(default_factory=dict)
    """Agents that answer, but no second look, each with the reason."""
    _records: dict[str, _Record] = field(default_factory=dict)
    _second: dict[str, _Record] = field(default_factory=dict)
    """Second looks by themselves."""
    _cases: int = 0

    def present(self, agents: Mapping[str, Agent]) -> dict[str, Agent]:
        """Returns the agents to ask; those that cannot answer are replaced."""
        gone = self.unable
        return {name: Unable(name, gone[name]) if name in gone else agent for name, agent in agents.items()}

    def wave(self, looks: int, at_once: int) -> int:
        """Returns how many images to read at once, in so many looks; at first only as many as prove something."""
        return at_once if self._cases >= PROOF else min(PROOF // looks, PROOF - self._cases)

    def hear(
        self, names: Sequence[str], first: Sequence[Sequence[Answer]], second: Sequence[Sequence[Answer]] = ()
    ) -> None:
        """Hears ``first[case][agent]`` and the second looks. Raises ``PanelError`` for an agent that cannot answer."""
        self._cases += len(first)
        for i, name in enumerate(names):
            if name in self.unable:
                continue
            record, again = self._records.setdefault(name, _Record()), self._second.setdefault(name, _Record())
            for answer in _looks(i, first, second):
                record.hear(answer)
                if answer.round > 1:
                    again.hear(answer)
            if record.proof is not None or self._unreachable(record):
                self._remove(name, record)
            elif again.proof is not None and record.answered:
                self.first_looks_only.setdefault(name, again.told("second looks"))

    def without_unable(self, names: Sequence[str], readings: Readings) -> Readings:
        """Returns the readings without any answer of agents that cannot answer, or any second look of those that can't.

        An agent without second looks keeps its first answer in the second round, as it will at diagnosis.
        """
        gone = {i: self.unable[name] for i, name in enumerate(names) if name in self.unable}
        once = {i for i, name in enumerate(names) if name in self.first_looks_only and i not in gone}
        if not gone and not once:
            return readings
        first = [[gone.get(i, answer) for i, answer in enumerate(row)] for row in readings.first]
        second = [
            [gone.get(i, early[i] if i in once else answer) for i, answer in enumerate(row)]
            for early, row in zip(readings.first, readings.second, strict=True)
        ]
        only = {name: why for name, why in self.first_looks_only.items() if name not in self.unable}
        return replace(readings, first=first, second=second, first_looks_only=only)

    def _unreachable(self, record: _Record) -> bool:
        """Whether a server was never reached: the first wave is proof enough, as each call took several attempts."""
        return record.last is not None and record.last.cause == "network" and record.row == record.heard

    def _remove(self, name: str, record: _Record) -> None:
        last, told = record.failure, record.told("questions")
        if self.keep_going:
            self.unable[name] = last.model_copy(update={"detail": told, "usage": Usage(), "seconds": 0.0})
            return
        raise PanelError(
            f"agent {name} cannot answer: {told.rstrip('.')}. {REMEDIES[last.cause]} Then fit again"
            f"{_spent(record.usage)}. Or go on without it: --keep-going (keep_going=True)"
        )


def _looks(i: int, first: Sequence[Sequence[Answer]], second: Sequence[Sequence[Answer]]) -> Iterator[Answer]:
    """An agent's answers, image by image; a second answer that only repeats the first is left out."""
    for at, row in enumerate(first):
        yield row[i]
        if second and second[at][i].round > row[i].round:
            yield second[at][i]


def _spent(usage: Usage) -> str:
    """What was spent, and that it is not lost."""
    if not usage.calls:
        return ""
    cost = "" if usage.cost_usd is None else f" (${usage.cost_usd:.4f})"
    calls = "1 call" if usage.calls == 1 else f"{usage.calls} calls"
    return f": of {calls} so far{cost}, those that gave an answer are not repeated"
