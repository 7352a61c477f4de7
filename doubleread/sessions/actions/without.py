"""The verdict without an agent."""

from typing import Annotated

from doubleread.core.base import Record
from doubleread.sessions.actions._facts import said, spoken, standing_line, unlike
from doubleread.sessions.actions.action import Action
from doubleread.sessions.actions.arguments import AGENTS
from doubleread.sessions.names import Unclear
from doubleread.sessions.phrases import phrases
from doubleread.sessions.record import How, Read, Reply, Text
from doubleread.sessions.standing import Response, Standing


class Silent(Record):
    """The agents to leave out."""

    agents: Annotated[tuple[str, ...], AGENTS]


async def without(asked: Silent, standing: Standing) -> Response:
    """Recomputes the verdict without one agent; for several, orders another reading."""
    seen = spoken(standing)
    verdict = seen.verdict
    if len(asked.agents) > 1:
        line = f"reading the image again without {', '.join(asked.agents)}"
        return Response(Reply(blocks=(Text(lines=(line,)),)), (Read(how=How(without=asked.agents)),))
    (agent,) = asked.agents
    if verdict.unfamiliar:
        again = f"/read-again without {agent}"
        return unlike(
            seen,
            f"to see whether this would change without {agent}, read the image again: {again}",
            suggestions=(again,),
        )
    found = next((one for one in standing.panel.explain(verdict).without if one.agent == agent), None)
    if found is None:
        raise Unclear(f"{agent} was not used for this verdict, so nothing would change without it", ("/who",))
    if found.label is None:
        return said((f"without {agent} there would be no answer, and a person would have to look at the image",))
    same = "the verdict would be another" if found.changes else "the verdict would be the same"
    lines = (
        f"without {agent}, {same}: the panel would {found.outcome}",
        f"now: {standing_line(verdict)}",
        "this is calculated from the other agents' answers; no agent was asked again",
    )
    return said(lines, suggestions=(f"/read-again without {agent}",))


WITHOUT = Action(
    "without",
    Silent,
    without,
    help="The verdict without an agent, calculated; no agent is asked again.",
    saying="leave X out",
    without_slash=True,
    phrases=phrases(
        r"(?:and )?without {agents}",
        r"(?:leave out|ignore|exclude|drop|omit|skip|disregard) {agents}",
        r"(?:leave|take|keep|throw) {agents} (?:out|away)",
        r"(?:what|how) (?:would|does|did|is|about|if|would happen|changes)(?: {IT}| the verdict| you)?"
        r"(?: (?:be|say|think|look|change))?(?: like)? without {agents}",
        r"{WHATIF} (?:we |you |i )?(?:leave|take|left|took) {agents} out",
        r"{WHATIF} (?:we |you |i )?(?:leave out|left out|ignored?|drop(?:ped)?|excluded?) {agents}",
        r"{WHATIF} {agents} (?:is|are|was|were|had been|said) (?:silent|left out|absent|missing|nothing)",
    ),
)
