"""What the verdict would have been without an agent."""

from doubleread.sessions.actions.facts import said, spoken, standing_line, unlike
from doubleread.sessions.intent import Intent
from doubleread.sessions.names import Unclear
from doubleread.sessions.record import How, Read, Reply, Text
from doubleread.sessions.standing import Answered, Standing


async def without(intent: Intent, standing: Standing) -> Answered:
    """For one agent from what was said; for several the image is read again."""
    seen = spoken(standing)
    verdict = seen.verdict
    if len(intent.agents) > 1:
        line = f"reading again without {', '.join(intent.agents)}"
        return Answered(Reply(blocks=(Text(lines=(line,)),)), (Read(how=How(without=intent.agents)),))
    (agent,) = intent.agents
    if verdict.unfamiliar:
        again = f"/read-again without {agent}"
        return unlike(
            seen,
            f"whether that would change without {agent} shows only when it is read again: {again}",
            suggestions=(again,),
        )
    found = next((one for one in standing.panel.explain(verdict).without if one.agent == agent), None)
    if found is None:
        raise Unclear(f"{agent} had no part in this verdict: nothing would be different without it", ("/who",))
    if found.label is None:
        return said((f"without {agent} nobody would have spoken, and the image would be referred",))
    same = "another verdict" if found.changes else "the same verdict"
    lines = (
        f"now: {standing_line(verdict)}",
        f"without {agent}, {same}: the panel would {found.outcome}",
        "this is worked out from what the others said; nobody was asked again",
    )
    return said(lines, suggestions=(f"/read-again without {agent}",))
