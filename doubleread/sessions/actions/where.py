"""Attribution maps: where in the image the agents' probability of a label rests."""

import asyncio
from dataclasses import replace
from typing import Annotated
from weakref import WeakKeyDictionary

from doubleread.core.base import Record
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.render.shown import ShownAttribution
from doubleread.sessions.actions._facts import read, said, unlike
from doubleread.sessions.actions.action import Action, Heard, Offers, Slots
from doubleread.sessions.actions.arguments import AGENTS, LABEL, label_in, label_offers, one_agent
from doubleread.sessions.names import Known, Unclear, agents_of
from doubleread.sessions.phrases import Phrase, phrases
from doubleread.sessions.record import Maps, Text
from doubleread.sessions.standing import Response, Standing

_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Locks by event loop; the sessions have one of their own."""


def _labels(rest: str, standing: Standing) -> Offers:
    """Completes labels, also after an agent."""
    agent, blank, label = rest.partition(" ")
    if blank and agent in agents_of(standing):
        return [(f"{agent} {name}", about) for name, about in label_offers(label, standing)]
    return label_offers(rest, standing)


class Sought(Record):
    """The agents and the label to map; by default all agents and the most likely label."""

    agents: Annotated[tuple[str, ...], AGENTS] = ()
    label: Annotated[str | None, replace(LABEL, offers=_labels)] = None


async def mapped(panel: Panel, verdict: Verdict, label: str | None) -> ShownAttribution:
    """Computes attribution maps; cancellable. One at a time, since each reads the image dozens of times."""
    async with _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        return await panel.aattribute(verdict, label=label)


async def where(asked: Sought, standing: Standing) -> Response:
    """Returns the maps of all local agents or of those named, and the reasons where there is no map."""
    seen = read(standing)
    if seen.verdict.unfamiliar:
        return unlike(seen, "there is no map of where the agents looked")
    verdict = seen.verdict
    found = await mapped(standing.panel, verdict, asked.label)
    if asked.agents:
        found = found.only(asked.agents)
    others = [f"/where {name}" for name in standing.panel.task.names if name != found.label]
    left_out = [f"{name} was not asked: {why}" for name, why in standing.panel.left_out.items() if name in asked.agents]
    if not found.maps:
        return said((*found.lines, *left_out), suggestions=others[:2])
    looked = ("the maps do not include the second look",) if verdict.second_look is not None else ()
    return said((), Maps(found=found), Text(lines=(found.method, *looked)), suggestions=others[:2])


def _typed(rest: str, known: Known, heard: Heard) -> Sought:
    """Parses an agent, a label, or an agent followed by a label."""
    if not rest:
        return Sought()
    label, agent = known.labels.exact(rest), known.agents.exact(rest)
    if label or agent:
        return Sought(label=label, agents=(agent,) if agent and not label else ())
    first, _, others = rest.partition(" ")
    agent = known.agents.exact(first) if others else None
    if agent:
        return Sought(agents=(agent,), label=known.labels.find(others, heard))
    try:
        return Sought(label=known.labels.find(rest, heard))
    except Unclear:
        return Sought(agents=(known.agents.find(rest, heard),))


def _understood(_phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> Sought:
    """Reports an unknown label before an unknown agent, which may be "you"."""
    label = label_in(slots["label"], known, heard) if "label" in slots else None
    return Sought(label=label, agents=one_agent(slots["agent"], known, heard) if "agent" in slots else ())


WHERE = Action(
    "where",
    Sought,
    where,
    help="The parts of the image that speak for the label, or for another one, by each local agent.",
    saying="where did the agents look?",
    typed=_typed,
    understood=_understood,
    without_slash=True,
    phrases=phrases(
        r"where(?: (?:did|do|does) (?:the agents|they|you|it|everyone|the panel) (?:all )?look(?: at)?)?",
        r"what (?:did|do|does) (?:the agents|they|you|the panel) look at",
        r"(?:{SHOW} )?(?:the |an? )?(?:heat ?maps?|saliency(?: maps?)?|attributions?(?: maps?)?)",
        r"(?:{SHOW} )?where (?:is|was) it(?: seen)?|where (?:do|did|does) (?:you|they|it) see (?:it|that)",
        r"{SHOW} where(?: (?:it is|{IT} is seen|they looked|you looked|the agents looked))?",
        r"where (?:did|does|do) {agent} look(?: at)?|what (?:did|does) {agent_} look at",
        r"(?:{SHOW} )?where {agent} look(?:s|ed)(?: at)?",
        r"where (?:did|does|do) {agent} see {ART}{label}",
        r"where (?:did|does|do) (?:the agents|they|you|it|the panel) see {ART}{label}",
        r"(?:{SHOW} )?where (?:is |was )?{ART}{label}(?: is)?(?: seen| visible)?",
    ),
)
