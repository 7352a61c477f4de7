"""Who said what, who disagrees, and how far each agent is trusted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from doubleread.core.base import Record
from doubleread.core.trust import PanelMember, TrustProfile
from doubleread.core.verdict import Verdict
from doubleread.core.verdict_wording import UNLIKE, in_points
from doubleread.orchestrator.explanation.influence import Without
from doubleread.orchestrator.learning.arbitration import PANEL
from doubleread.sessions.actions._facts import interval, opinions, percent, profile, read, said, standing_line
from doubleread.sessions.actions.action import Action, Heard, Slots
from doubleread.sessions.actions.arguments import AGENTS, agents_in, label_in, one_agent
from doubleread.sessions.names import Known, fold
from doubleread.sessions.phrases import Phrase, phrases
from doubleread.sessions.record import Table
from doubleread.sessions.standing import Response, Standing

INTERVALS = "in brackets: 95% intervals"
_PANEL = ("you", "it", "this", "that", "panel", "the panel", "the verdict", "verdict", "the result", "this verdict")


def _typed_agents(text: str, known: Known, heard: Heard) -> tuple[str, ...]:
    return (PANEL,) if fold(text) in ("panel", "the panel") else agents_in(text, known, heard)


class Whom(Record):
    """The agents to describe; without any, compares who is for and against the label (default: the most likely one)."""

    agents: Annotated[tuple[str, ...], replace(AGENTS, read=_typed_agents)] = ()
    label: str | None = None


async def who(asked: Whom, standing: Standing) -> Response:
    """Compares all agents, or describes those named in detail."""
    if asked.agents:
        told = [line for agent in asked.agents for line in _of_one(agent, standing)]
        offers = [f"/without {agent}" for agent in asked.agents if agent != PANEL]
        return said((*told, INTERVALS), suggestions=offers or ("/who",))
    verdict = read(standing).verdict
    label = asked.label or verdict.label
    left = (line for one in standing.panel.members for line in _unused(one))
    last = opinions(verdict)
    against = [one.agent for one in last.values() if one.label != label]
    sides = (*_sides(verdict, label), *left)
    if not last or verdict.unfamiliar:
        return said((standing_line(verdict), *sides), suggestions=("/similar",) if last else ("/what-would-change",))
    lines, blocks = (*sides, INTERVALS), (_table(verdict, standing),)
    return said(lines, *blocks, suggestions=(*(f"/without {one}" for one in against[:1]), "/what-would-change"))


def _sides(verdict: Verdict, label: str | None) -> Iterator[str]:
    last = opinions(verdict)
    same = [one.agent for one in last.values() if one.label == label]
    against = [f"{one.agent} ({one.label})" for one in last.values() if one.label != label]
    if last:
        yield f"against {label}: {', '.join(against)}" if against else f"no agent disagrees with {label}"
        yield f"for {label}: {', '.join(same) or 'no agent'}"
    for one in {a.agent: a for a in verdict.abstentions if a.agent not in last}.values():
        yield f"{one.agent} gave no answer ({one.cause})"
    if verdict.spared:
        yield f"not asked: {', '.join(verdict.spared)}"


def _table(verdict: Verdict, standing: Standing) -> Table:
    """One row for each agent of the panel, also for those that gave no answer."""
    without = {one.agent: one for one in standing.panel.explain(verdict).without}
    causes = {one.agent: one.cause for one in verdict.abstentions}
    last, rows = opinions(verdict), []
    for member in standing.panel.members:
        name, one = member.agent, last.get(member.agent)
        trusted = profile(standing, name, one.round if one else 1)
        right = f"{interval(trusted.accuracy)} of {trusted.n}" if trusted else f"none: {member.answered} answered"
        if one is None:
            says = f"no answer ({causes[name]})" if name in causes else "not asked"
            rows.append((name, says, "", "", "", right, ""))
            continue
        calibrated = verdict.calibrated.get(name, {})
        rows.append(
            (
                name,
                one.label,
                percent(one.confidence),
                percent(calibrated[one.label]) if calibrated else "not counted",
                in_points(verdict.influence.get(name, 0.0)),
                right,
                _instead(without.get(name)),
            )
        )
    head = ("agent", "says", "uncalibrated", "calibrated", "influence", "right on", "without it")
    return Table(head=head, rows=tuple(rows))


def _unused(one: PanelMember) -> Iterator[str]:
    if one.unused:
        yield f"{one.agent} was not asked: {one.unused}"
    elif one.note:
        yield one.note


def _instead(without: Without | None) -> str:
    if without is None or without.label is None:
        return "nothing"
    if without.confidence is None:
        return "referred, unlike the calibration images"
    act = "" if without.action == "commit" else "referred, "
    return f"{act}{without.label} {percent(without.confidence)}"


def _of_one(agent: str, standing: Standing) -> Iterator[str]:
    seen = standing.cases.get(standing.current or "")
    verdict = seen.verdicts[-1] if seen and seen.verdicts else None
    if verdict is not None:
        yield standing_line(verdict) if agent == PANEL else _said_here(agent, verdict, standing)
    known = [p for p in standing.panel.profiles if p.agent == agent]
    if not known:
        yield f"there is no record of {agent}: it answered {_answered(agent, standing)} calibration images"
    for one in known:
        yield from _record(one, several=len(known) > 1)


def _answered(agent: str, standing: Standing) -> str:
    return next((one.answered for one in standing.panel.members if one.agent == agent), "none of the")


def _said_here(agent: str, verdict: Verdict, standing: Standing) -> str:
    opinion = opinions(verdict).get(agent)
    if opinion is None:
        if agent in standing.panel.left_out:
            return f"{agent} was not asked: {standing.panel.left_out[agent]}"
        causes = [one.cause for one in verdict.abstentions if one.agent == agent]
        return f"{agent} gave no answer here ({causes[-1] if causes else 'it was not asked'})"
    if verdict.unfamiliar:
        return f"{UNLIKE}; {agent} says {opinion.label}"
    told = f"{agent} says {opinion.label}: {percent(opinion.confidence)} before calibration"
    calibrated = verdict.calibrated.get(agent)
    if calibrated is None:
        return f"{told}; it was not counted, because it has no record of such answers"
    without = next((one for one in standing.panel.explain(verdict).without if one.agent == agent), None)
    moves = f"influence {in_points(verdict.influence.get(agent, 0.0))}"
    return f"{told}, {percent(calibrated[opinion.label])} calibrated; {moves}; without it: {_instead(without)}"


def _record(one: TrustProfile, *, several: bool) -> Iterator[str]:
    look = f" in look {one.round}" if several else ""
    learned = f", learned from the {one.learned_from}" if one.learned_from else ""
    yield f"{one.agent}{look}: right on {interval(one.accuracy)} of {one.n} calibration images{learned}"
    ece = one.ece
    yield (
        f"calibration error (ECE){look}: {ece.value:.3f} ({ece.low:.3f} to {ece.high:.3f}); chance level on as many "
        f"images: {ece.chance:.3f} on average, at most {ece.chance_high:.3f} in 95% of cases"
    )
    if one.calibrated_ece is not None:
        yield f"ECE after calibration{look}: {one.calibrated_ece.value:.3f}"
    yield f"wrong although it said more than {percent(one.ocr_threshold)}{look}: {percent(one.ocr)} of all images"
    if one.influence is not None and one.benefit is not None:
        raised = f"{one.benefit.value:+.3f} ({one.benefit.low:+.3f} to {one.benefit.high:+.3f})"
        yield (
            f"influence on calibration images: {in_points(one.influence.value)} on average; without it, the log-loss "
            f"would change by {raised}, and above 0 means that it helps the panel"
        )
    if one.abstained:
        yield f"gave no answer{look} on {one.abstained} more"
    yield from _gaps(one)
    yield from one.warnings


def _gaps(one: TrustProfile) -> Sequence[str]:
    return [
        f"with another prompt ({kind}), it changed its label on {interval(gap.flips)} of {gap.n} images"
        for kind, gap in one.consistency.items()
    ]


def _understood(_phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> Whom:
    if "label" in slots:
        return Whom(label=label_in(slots["label"], known, heard))
    if "agent" not in slots:
        return Whom()
    panel = slots["agent"].casefold() in _PANEL
    return Whom(agents=(PANEL,) if panel else one_agent(slots["agent"], known, heard))


WHO = Action(
    "who",
    Whom,
    who,
    help="What each agent says, which disagree, and how reliable they are; or the record of one agent.",
    saying="who disagrees?",
    understood=_understood,
    without_slash=True,
    phrases=phrases(
        r"who(?: (?:disagrees|differs|dissents|agrees|said what|says what|is against {IT}))?",
        r"who (?:says|said|thinks|thought) (?:otherwise|so|something else|what)",
        r"(?:do|did) (?:they|the agents|all(?: agents)?)(?: all)? agree|(?:does|did) (?:anyone|anybody) disagree",
        r"(?:how far|how much|whom?) (?:can|should|do|could) (?:i|we|you) trust(?: them| each| the agents)?",
        r"how (?:far|much) (?:is|are) (?:each|they|the agents)(?: of them)? trusted",
        r"(?:who|which agents?) (?:says?|said|thinks?|thought|voted)(?: for)? {label}",
        r"(?:how (?:far|much) )?(?:can|should|could|do) (?:i|we|you) (?:trust|believe|rely on) {agent}",
        r"how (?:good|reliable|accurate|trustworthy|often right|well calibrated|far trusted) is {agent}",
        r"how (?:far|much) is {agent} trusted|how (?:often|many times) is {agent_} right",
        r"what (?:did|does|do) {agent} (?:say|think|see)|tell me (?:more )?about {agent_}",
        r"(?:how|what) about {agent}",
    ),
)
