"""Why a verdict is what it is: a plain account of the numbers, and what would have been without each agent.

Everything here is worked out of the verdict and the fitted arbiter; nothing is generated.
"""

from collections.abc import Iterator, Mapping

from doubleread.core.base import Record
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.trust import TrustProfile
from doubleread.core.verdict import Action, Verdict
from doubleread.orchestrator.arbiter import Arbiter
from doubleread.orchestrator.crossings import turning_points
from doubleread.orchestrator.turning_point import TurningPoint
from doubleread.orchestrator.what_if import other_reason


class Without(Record):
    """What the same panel would have said, had one agent been silent."""

    agent: str
    label: str | None
    confidence: float
    action: Action
    changes: bool
    """Whether the label or the action would be another."""


class Explanation(Record):
    """``lines`` say who said what, how far each is trusted and why, and what would change the verdict."""

    lines: tuple[str, ...]
    without: tuple[Without, ...]
    turning_points: tuple[TurningPoint, ...] = ()
    """From which cost or prevalence on the verdict would be another."""


def explain(verdict: Verdict, arbiter: Arbiter) -> Explanation:
    """The account of one verdict by the arbiter that gave it."""
    without = tuple(_without(name, verdict, arbiter) for name in verdict.influence)
    turning = turning_points(verdict, arbiter)
    lines = (
        *(_agent(opinion, verdict, arbiter) for opinion in _last(verdict).values() if isinstance(opinion, Opinion)),
        *_silent(verdict),
        *_evidence(verdict),
        *_second_look(verdict),
        *(f"decision: {reason}" for reason in verdict.decision.reasons),
        *_counterfactual(verdict, without),
        *(point.line for point in turning),
        *filter(None, [other_reason(verdict, arbiter.task)]),
    )
    return Explanation(lines=lines, without=without, turning_points=turning)


def _without(name: str, verdict: Verdict, arbiter: Arbiter) -> Without:
    rounds = verdict.second_look.rounds if verdict.second_look else 1
    first = {agent: answer for agent, answer in _first(verdict).items() if agent != name}
    last = {agent: answer for agent, answer in _last(verdict).items() if agent != name}
    found = arbiter.assess(first, last, verdict.evidence, round_=rounds)
    label = max(found.scores, key=lambda one: found.scores[one]) if found.scores else None
    action = found.decision.action
    return Without(
        agent=name,
        label=label,
        confidence=max(found.scores.values(), default=0.0),
        action=action,
        changes=label != verdict.label or action != verdict.decision.action,
    )


def _agent(opinion: Opinion, verdict: Verdict, arbiter: Arbiter) -> str:
    said = f"{opinion.agent} said {opinion.label} at {opinion.confidence:.0%}"
    calibrated = verdict.calibrated.get(opinion.agent)
    profile = arbiter.profile(opinion.agent, min(opinion.round, 2))
    if calibrated is None or profile is None:
        return f"{said}; it was not counted, nothing is known of such answers"
    moves = f"it moves the verdict by {verdict.influence.get(opinion.agent, 0.0):.0%}"
    return f"{said}, calibrated {calibrated[opinion.label]:.0%}; {_record(profile, opinion, arbiter)}; {moves}"


def _record(profile: TrustProfile, opinion: Opinion, arbiter: Arbiter) -> str:
    """The agent's record, and that of this very label."""
    k = arbiter.task.index(opinion.label)
    said, right = sum(row[k] for row in profile.confusion), profile.confusion[k][k]
    accuracy = f"right on {profile.accuracy.value:.0%} of {profile.n} calibration cases"
    return f"{accuracy}, on {right} of the {said} where it said {opinion.label}"


def _silent(verdict: Verdict) -> Iterator[str]:
    spoken = {opinion.agent for opinion in verdict.opinions}
    for abstention in {a.agent: a for a in verdict.abstentions if a.agent not in spoken}.values():
        yield f"{abstention.agent} gave no opinion ({abstention.cause}) and was left out"


def _evidence(verdict: Verdict) -> Iterator[str]:
    evidence = verdict.evidence
    if evidence is None or evidence.label is None or not evidence.neighbours:
        return
    same = sum(n.label == evidence.label for n in evidence.neighbours)
    share = evidence.distribution[evidence.label]
    cases = f"{same} of the {len(evidence.neighbours)} most similar cases are {evidence.label}"
    yield f"evidence: {cases}; weighed, they make it {share:.0%} likely"


def _second_look(verdict: Verdict) -> Iterator[str]:
    look = verdict.second_look
    if look is None:
        return
    moved = [f"{c.agent} went from {c.before} to {c.after}" for c in look.changes if c.moved and c.before and c.after]
    label = max(look.before, key=lambda name: look.before[name]) if look.before else None
    before = f"before it the panel said {label} at {look.before[label]:.0%}" if label else "before it nobody had spoken"
    yield f"second look, because of {'; '.join(look.reasons)}: {', '.join(moved) or 'nobody changed sides'}; {before}"


def _counterfactual(verdict: Verdict, without: tuple[Without, ...]) -> Iterator[str]:
    turning = [one for one in without if one.changes]
    for one in turning:
        act = "would commit to" if one.action == "commit" else "would refer, leaning to"
        said = f"the panel {act} {one.label} ({one.confidence:.0%})" if one.label else "nobody would have spoken"
        yield f"without {one.agent} {said}"
    if without and not turning:
        lowest = min(without, key=lambda one: one.confidence)
        yield (
            f"no single agent turns the verdict: without any one of them it stays {verdict.label}, "
            f"at {lowest.confidence:.0%} or more"
        )


def _first(verdict: Verdict) -> Mapping[str, Answer]:
    return {answer.agent: answer for answer in _answers(verdict) if answer.round == 1}


def _last(verdict: Verdict) -> Mapping[str, Answer]:
    return {answer.agent: answer for answer in sorted(_answers(verdict), key=lambda answer: answer.round)}


def _answers(verdict: Verdict) -> list[Answer]:
    return [*verdict.opinions, *verdict.abstentions]
