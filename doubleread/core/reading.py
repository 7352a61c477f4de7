"""The agents' answers about a case whose true label is known, in a form small enough to keep."""

from datetime import datetime
from typing import Literal, Self

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.verdict import Action, Verdict

Sampling = Literal["all", "selected"]
"""Which cases of a stream are confirmed: ``all`` of them, or ``selected`` ones, such as those that were referred."""


_KEPT = {"agent", "label", "confidence", "probabilities", "confidence_source", "prior", "round"}


class Reading(Record):
    """What the agents said about one labelled case, in both rounds. Trust is learned from readings.

    Examples:
        >>> from doubleread.core.reading import Reading
        >>> answers = tuple(one for one in verdict.opinions if one.round == 1)
        >>> Reading(case=verdict.case.id, label="red", first=answers, evidence=verdict.evidence).label
        'red'
    """

    case: str
    """Id of the case."""
    label: str
    """The true label."""
    group: str | None = None
    subject: str | None = None
    first: tuple[Answer, ...]
    """Answers of the first look."""
    second: tuple[Answer, ...] = ()
    """Answers of the second look; empty if there was none."""
    evidence: Evidence


class Outcome(Reading):
    """The true label of a case that the panel had given a verdict on. ``Panel.confirm`` makes it.

    Examples:
        >>> outcome = panel.confirm(verdict, "red", reviewer="ann")
        >>> outcome.kind
        'confirmed'
        >>> panel.retract(outcome.case, reviewer="ann")
    """

    source: str = ""
    said: str
    """The verdict's label, committed or not."""
    action: Action
    """What the panel did."""
    posterior: dict[str, float]
    """The verdict's posterior; empty after an alarm."""
    trust_version: int = 1
    """Version of the trust that gave the verdict."""
    sampling: Sampling
    reviewer: str = ""
    """Who confirmed it."""
    note: str = ""
    time: datetime
    """When it was confirmed, in UTC."""

    @property
    def kind(self) -> Literal["confirmed", "corrected"]:
        """``confirmed`` if the verdict named the true label, else ``corrected``."""
        return "confirmed" if self.said == self.label else "corrected"

    @classmethod
    def of(
        cls, verdict: Verdict, label: str, *, time: datetime, sampling: Sampling, reviewer: str = "", note: str = ""
    ) -> Self:
        """Makes the outcome of a verdict.

        Raises:
            DataError: No agent gave an opinion, so there is nothing to learn.
        """
        if verdict.label is None or not verdict.opinions:
            raise DataError(f"{verdict.case.source}: no agent gave an opinion, so there is nothing to confirm")
        given: list[Answer] = [*verdict.opinions, *verdict.abstentions]
        answers = tuple(map(slim, given))
        return cls(
            case=verdict.case.id,
            label=label,
            group=verdict.case.group,
            subject=verdict.case.subject,
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
    """An outcome was taken back. The case counts as unconfirmed again."""

    case: str
    reviewer: str = ""
    note: str = ""
    time: datetime


def slim(answer: Answer) -> Answer:
    """Returns the answer with only what calibration and fusion need, without text, costs and traces."""
    if isinstance(answer, Abstention):
        return Abstention(agent=answer.agent, cause=answer.cause, round=answer.round)
    return Opinion.model_validate(answer.model_dump(include=_KEPT))


def slim_evidence(evidence: Evidence | None) -> Evidence:
    """Returns the evidence without its cases."""
    if evidence is None:
        return Evidence(neighbours=(), failure="no evidence was kept")
    return evidence.model_copy(update={"neighbours": (), "contrast": ()})


__all__ = ["Outcome", "Reading", "Sampling"]
