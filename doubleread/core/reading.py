"""What a panel said about a case whose true label is known, in a form small enough to keep."""

from datetime import datetime
from typing import Literal, Self

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.verdict import Action, Verdict

Sampling = Literal["all", "selected"]
"""Whether every case of a stream is confirmed, or only chosen ones, such as those that were referred."""


_KEPT = {"agent", "label", "confidence", "probabilities", "confidence_source", "prior", "round"}


class Reading(Record):
    """Both rounds' answers about one labelled case; trust is learned from these."""

    case: str
    """The case's id."""
    label: str
    group: str | None = None
    first: tuple[Answer, ...]
    second: tuple[Answer, ...] = ()
    """Answers of the second look; empty where there was none."""
    evidence: Evidence


class Outcome(Reading):
    """What turned out to be true of a case that the panel had given a verdict on."""

    source: str = ""
    said: str
    """The verdict's label, committed or not."""
    action: Action
    posterior: dict[str, float]
    """Empty where the image raised the alarm of familiarity."""
    trust_version: int = 1
    """Version of the trust that gave the verdict."""
    sampling: Sampling
    reviewer: str = ""
    note: str = ""
    time: datetime
    """When it was confirmed, UTC."""

    @property
    def kind(self) -> Literal["confirmed", "corrected"]:
        return "confirmed" if self.said == self.label else "corrected"

    @classmethod
    def of(
        cls, verdict: Verdict, label: str, *, time: datetime, sampling: Sampling, reviewer: str = "", note: str = ""
    ) -> Self:
        """The outcome of a verdict. Raises ``DataError`` where no agent gave an opinion: there is nothing to learn."""
        if verdict.label is None or not verdict.opinions:
            raise DataError(f"{verdict.case.source}: no agent gave an opinion, so there is nothing to confirm")
        given: list[Answer] = [*verdict.opinions, *verdict.abstentions]
        answers = tuple(map(slim, given))
        return cls(
            case=verdict.case.id,
            label=label,
            group=verdict.case.group,
            first=tuple(answer for answer in answers if answer.round == 1),
            second=tuple(answer for answer in answers if answer.round > 1),
            evidence=slim_evidence(verdict.evidence),
            source=verdict.case.source,
            said=verdict.label,
            action=verdict.decision.action,
            posterior=verdict.posterior,
            trust_version=verdict.trust_version,
            sampling=sampling,
            reviewer=reviewer,
            note=note,
            time=time,
        )


class Retraction(Record):
    """An outcome taken back: the case counts as unconfirmed again."""

    case: str
    reviewer: str = ""
    note: str = ""
    time: datetime


def slim(answer: Answer) -> Answer:
    """The answer without words, costs and traces: what calibration and fusion look at."""
    if isinstance(answer, Abstention):
        return Abstention(agent=answer.agent, cause=answer.cause, round=answer.round)
    return Opinion.model_validate(answer.model_dump(include=_KEPT))


def slim_evidence(evidence: Evidence | None) -> Evidence:
    """The evidence without the cases it came from."""
    if evidence is None:
        return Evidence(neighbours=(), failure="no evidence was kept")
    return evidence.model_copy(update={"neighbours": (), "contrast": ()})
