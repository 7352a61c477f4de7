"""Why a verdict is what it is: a plain account of the numbers, and what would have been without each agent.

Everything here is worked out of the verdict and the fitted arbiter; nothing is generated.
"""

from collections.abc import Iterable, Iterator, Mapping

from doubleread.core.base import Record
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.trust import TrustProfile
from doubleread.core.verdict import Action, Verdict
from doubleread.core.verdict_wording import UNLIKE, fitting_labels, in_points, looks_like
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.explanation._turning_points import TurningPoint, turning_points
from doubleread.orchestrator.explanation.counterfactual import other_reason


class Without(Record):
    """What the same panel would have said, had one agent been silent."""

    agent: str
    label: str | None
    confidence: float | None
    """None where the image would raise the alarm of familiarity, and where nobody else spoke."""
    action: Action
    changes: bool
    """Whether the label or the action would be another."""

    @property
    def outcome(self) -> str:
        """What would have been: ``commit to rust, at 93.0%``."""
        if self.label is None:
            return "refer: nobody else gave an opinion"
        if self.confidence is None:
            return "refer: the image would be unlike those it was trusted on"
        act = "commit to" if self.action == "commit" else "refer, leaning to"
        return f"{act} {self.label}, at {self.confidence:.1%}"


class Explanation(Record):
    """``lines`` say who said what, how far each is trusted and why, and what would change the verdict.

    After an alarm of familiarity they name labels only, and nothing would change the referral.
    """

    lines: tuple[str, ...]
    without: tuple[Without, ...]
    turning_points: tuple[TurningPoint, ...] = ()
    """From which cost or prevalence on the verdict would be another."""


def explain(verdict: Verdict, arbiter: Arbiter) -> Explanation:
    """The account of one verdict by the arbiter that gave it."""
    if verdict.unfamiliar:
        return Explanation(lines=tuple(_unlike(verdict, arbiter)), without=())
    without = tuple(_without(name, verdict, arbiter) for name in verdict.influence)
    turning = turning_points(verdict, arbiter)
    lines = (
        *(_agent(opinion, verdict, arbiter) for opinion in _spoken(verdict)),
        *_silent(verdict, arbiter),
        *_evidence(verdict),
        *_second_look(verdict),
        *(f"decision: {reason}" for reason in verdict.decision.reasons),
        *_fit(verdict),
        *_counterfactual(verdict, without),
        *(point.line for point in turning),
        *filter(None, [other_reason(verdict, arbiter.task)]),
    )
    return Explanation(lines=lines, without=without, turning_points=turning)


def left_out(arbiter: Arbiter) -> dict[str, str]:
    """The agents and referees that fitting left out, and why."""
    return {name: _why_left_out(name, arbiter.notes) for name in arbiter.left_out}


def _why_left_out(name: str, notes: Iterable[str]) -> str:
    """From the note of fitting: ``no better than chance``."""
    note = next((one for one in notes if one.startswith((f"{name} is left out", f"referee {name} left out"))), "")
    reason = note.partition(": ")[2].partition(" (gain ")[0]
    return reason.removeprefix("on the calibration cases it is ") or "left out when the panel was fitted"


def _unlike(verdict: Verdict, arbiter: Arbiter) -> Iterator[str]:
    yield f"{UNLIKE}; it {looks_like(verdict)}"
    yield from (f"{opinion.agent} said {opinion.label}" for opinion in _spoken(verdict))
    yield from _silent(verdict, arbiter)
    yield from _neighbours(verdict)
    yield from (f"decision: {reason}" for reason in verdict.decision.reasons)


def _without(name: str, verdict: Verdict, arbiter: Arbiter) -> Without:
    rounds = verdict.second_look.rounds if verdict.second_look else 1
    first = {agent: answer for agent, answer in _first(verdict).items() if agent != name}
    last = {agent: answer for agent, answer in _last(verdict).items() if agent != name}
    found = arbiter.assess(first, last, verdict.evidence, round_=rounds)
    label = max(found.scores, key=lambda one: found.scores[one], default=None)
    action = found.decision.action
    return Without(
        agent=name,
        label=label,
        confidence=max(found.posterior.values(), default=None),
        action=action,
        changes=label != verdict.label or action != verdict.decision.action,
    )


def _agent(opinion: Opinion, verdict: Verdict, arbiter: Arbiter) -> str:
    said = f"{opinion.agent} said {opinion.label} at {opinion.confidence:.0%}"
    calibrated = verdict.calibrated.get(opinion.agent)
    profile = arbiter.profile(opinion.agent, min(opinion.round, 2))
    if calibrated is None or profile is None:
        return f"{said}; it was not counted, nothing is known of such answers"
    moves = f"it moves this verdict by {in_points(verdict.influence.get(opinion.agent, 0.0))}"
    return f"{said}, calibrated {calibrated[opinion.label]:.0%}; {_record(profile, opinion, arbiter)}; {moves}"


def _record(profile: TrustProfile, opinion: Opinion, arbiter: Arbiter) -> str:
    """The agent's record, and that of this very label."""
    k = arbiter.task.index(opinion.label)
    said, right = sum(row[k] for row in profile.confusion), profile.confusion[k][k]
    accuracy = f"right on {profile.accuracy.value:.0%} of {profile.n} calibration cases"
    return f"{accuracy}, on {right} of the {said} where it said {opinion.label}"


def _silent(verdict: Verdict, arbiter: Arbiter) -> Iterator[str]:
    spoken = {opinion.agent for opinion in verdict.opinions}
    for abstention in {a.agent: a for a in verdict.abstentions if a.agent not in spoken}.values():
        yield f"{abstention.agent} gave no opinion ({abstention.cause}) and was left out"
    for name, why in left_out(arbiter).items():
        if name not in spoken:
            yield f"{name} was not asked: {why}"


def _evidence(verdict: Verdict) -> Iterator[str]:
    evidence = verdict.evidence
    for line in _neighbours(verdict):
        assert evidence is not None
        yield f"{line}; weighed, they make it {evidence.distribution[str(evidence.label)]:.0%} likely"


def _neighbours(verdict: Verdict) -> Iterator[str]:
    evidence = verdict.evidence
    if evidence is None or evidence.label is None or not evidence.neighbours:
        return
    same = sum(n.label == evidence.label for n in evidence.neighbours)
    yield f"evidence: {same} of the {len(evidence.neighbours)} most similar cases are {evidence.label}"


def _fit(verdict: Verdict) -> Iterator[str]:
    """The prediction set and the p-values behind it."""
    if verdict.p_values:
        ranked = sorted(verdict.p_values.items(), key=lambda one: -one[1])
        fits = ", ".join(f"{label} {p:.3f}" for label, p in ranked)
        yield f"how well each label fits (p-value, the share of its held-out cases that fit no better): {fits}"
    yield from filter(None, [fitting_labels(verdict)])


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
    yield from (f"without {one.agent} the panel would {one.outcome}" for one in turning)
    if without and not turning:
        known = [one.confidence for one in without if one.confidence is not None]
        least = f", at {min(known):.0%} or more" if len(known) == len(without) else ""
        yield f"no single agent turns the verdict: without any one of them it stays {verdict.label}{least}"


def _spoken(verdict: Verdict) -> list[Opinion]:
    return [answer for answer in _last(verdict).values() if isinstance(answer, Opinion)]


def _first(verdict: Verdict) -> Mapping[str, Answer]:
    return {answer.agent: answer for answer in _answers(verdict) if answer.round == 1}


def _last(verdict: Verdict) -> Mapping[str, Answer]:
    return {answer.agent: answer for answer in sorted(_answers(verdict), key=lambda answer: answer.round)}


def _answers(verdict: Verdict) -> list[Answer]:
    return [*verdict.opinions, *verdict.abstentions]
