"""Converts a finished course to a verdict."""

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.trust import trust_version
from doubleread.core.types import Json
from doubleread.core.verdict import AgentChange, SecondLook, Verdict
from doubleread.orchestrator.course.course import Course
from doubleread.orchestrator.course.seats import Seats


def verdict_of(case: Case, course: Course, seats: Seats, *, seconds: float) -> Verdict:
    """Collects the results of all rounds in one record."""
    arbiter, final, answers = seats.arbiter, course.assessment, tuple(course.answers.values())
    warnings = (*seats.warnings, *_copies(course.evidence), *final.warnings)
    assessed: Json = {**dict(final), "warnings": warnings}  # same field names as Verdict
    return Verdict(
        case=case,
        picture=seats.picture,
        task=arbiter.task.id,
        **assessed,
        opinions=tuple(a for a in answers if isinstance(a, Opinion)),
        abstentions=tuple(a for a in answers if isinstance(a, Abstention)),
        spared=tuple(name for name in seats.roster.spared if name not in course.known(1)),
        evidence=course.evidence,
        second_look=_second_look(course),
        trust_version=trust_version(arbiter.profiles),
        seconds=seconds,
        cost_usd=sum(_paid(answer) for answer in answers),
    )


def _copies(evidence: Evidence | None) -> tuple[str, ...]:
    copies = evidence.near_copies if evidence else ()
    if not copies:
        return ()
    labels = ", ".join(sorted({one.label for one in copies}))
    more = f" and {len(copies) - 1} more" if len(copies) > 1 else ""
    stored = f"almost the same image is in the archive as {labels} ({copies[0].source}{more})"
    return (f"{stored}, and was left out of the similar cases",)


def _paid(answer: Answer) -> float:
    """Cost of the answer in this run: 0 from the cache or if the price is unknown."""
    return 0.0 if isinstance(answer, Opinion) and answer.cached else answer.usage.cost_usd or 0.0


def _second_look(course: Course) -> SecondLook | None:
    rounds = max(course.assessments)
    if rounds == 1:
        return None
    before, after = course.known(1), course.known(rounds)
    return SecondLook(
        reasons=course.assessments[1].decision.reasons,
        rounds=rounds,
        before=course.assessments[1].posterior,
        changes=tuple(_change(name, before.get(name), answer) for name, answer in after.items()),
    )


def _change(name: str, before: Answer | None, after: Answer) -> AgentChange:
    first = before if isinstance(before, Opinion) else None
    last = after if isinstance(after, Opinion) else None
    return AgentChange(
        agent=name,
        before=first.label if first else None,
        after=last.label if last else None,
        before_confidence=first.confidence if first else None,
        after_confidence=last.confidence if last else None,
    )
