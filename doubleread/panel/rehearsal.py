"""An arbiter that was read from files decides once on made-up opinions: parts that do not fit fail now, by name."""

from doubleread.core.evidence import Evidence, EvidenceQuality
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.orchestrator.course.arbiter import Arbiter

_SURE = 0.9


def rehearse(arbiter: Arbiter) -> None:
    """Goes through both rounds; in the second one agent gives no opinion. Raises whatever a part raises."""
    evidence = Evidence(neighbours=(), quality=EvidenceQuality(similarity=0.9, agreement=1, margin=0.5, nearness=0.5))
    first = {name: _said(arbiter, name, 1) for name in arbiter.agents}
    arbiter.assess(first, first, evidence, round_=1, can_ask_more=True, can_look_again=True)
    first[arbiter.agents[0]] = Abstention(agent=arbiter.agents[0], cause="failure")
    last = {name: _said(arbiter, name, 2) for name in arbiter.agents[1:]}
    arbiter.assess(first, first | last, evidence, round_=2)


def _said(arbiter: Arbiter, name: str, round_: int) -> Answer:
    profile = arbiter.profile(name, round_)
    if profile is None or profile.confidence_source is None:
        return Abstention(agent=name, cause="failure", round=round_)
    names = arbiter.task.names
    rest = (1 - _SURE) / (len(names) - 1)
    return Opinion(
        agent=name,
        label=names[0],
        confidence=_SURE,
        probabilities={one: _SURE if one == names[0] else rest for one in names},
        confidence_source=profile.confidence_source,
        prior=profile.prior or "unknown",
        round=round_,
    )
