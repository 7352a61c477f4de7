"""Where in the image the agents' probability of a label rests."""

from doubleread.sessions.actions.facts import read, said, unlike
from doubleread.sessions.intent import Intent
from doubleread.sessions.mapping import mapped
from doubleread.sessions.record import Maps, Text
from doubleread.sessions.standing import Answered, Standing


async def where(intent: Intent, standing: Standing) -> Answered:
    """The maps of all local agents, or of the one named; of one without a map it is told why, and nothing drawn."""
    seen = read(standing)
    if seen.verdict.unfamiliar:
        return unlike(seen, "where its labels would rest in the image is not drawn")
    verdict = seen.verdict
    found = await mapped(standing.panel, verdict, intent.label)
    if intent.agents:
        found = found.only(intent.agents)
    others = [f"/where {name}" for name in standing.panel.task.names if name != found.label]
    if not found.maps:
        return said(found.lines, suggestions=others[:2])
    looked = ("what a second look added is not in them",) if verdict.second_look is not None else ()
    return said((), Maps(found=found), Text(lines=(found.method, *looked)), suggestions=others[:2])
