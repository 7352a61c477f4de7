"""Compares two images of the session."""

from typing import Annotated

from doubleread.core.base import Record
from doubleread.core.opinion import Opinion
from doubleread.core.verdict_wording import UNLIKE
from doubleread.sessions.actions._facts import SeenVerdict, current, opinions, percent, said, seen_with_verdict
from doubleread.sessions.actions.action import Action
from doubleread.sessions.actions.arguments import IMAGE
from doubleread.sessions.names import Unclear
from doubleread.sessions.phrases import phrases
from doubleread.sessions.record import Cases, Table
from doubleread.sessions.standing import Response, Standing


class Other(Record):
    """Another image."""

    image: Annotated[str, IMAGE]


async def compare(asked: Other, standing: Standing) -> Response:
    """Compares probabilities, decisions and agents, the images' similarity, and the cases both resemble."""
    if asked.image == standing.current:
        raise Unclear(
            f"{current(standing).name} is the current image: name another one to compare it with", ("/images",)
        )
    one, other = seen_with_verdict(current(standing)), seen_with_verdict(standing.cases[asked.image])
    alike = await standing.panel.similarity(one.case, other.case)
    theirs = {n.case_id for n in other.verdict.evidence.neighbours} if other.verdict.evidence else set()
    mine = one.verdict.evidence.neighbours if one.verdict.evidence else ()
    shared = tuple(n for n in mine if n.case_id in theirs)
    lines = (
        *(f"{seen.name}: {UNLIKE}" for seen in (one, other) if seen.verdict.unfamiliar),
        f"{one.name} and {other.name}: similarity {alike:.3f} (at most 1)",
        f"{len(shared)} labelled images are similar to both"
        if shared
        else "no labelled image is among the most similar ones of both",
    )
    cases = (Cases(title=f"similar to both, by similarity to {one.name}", cases=shared),) if shared else ()
    switch = f"/switch {standing.cases[other.case.id].name}"
    return said(lines, _labels(one, other), _agents(one, other), *cases, suggestions=(switch,))


def _labels(one: SeenVerdict, other: SeenVerdict) -> Table:
    labels = dict.fromkeys((*one.verdict.posterior, *other.verdict.posterior))
    rows = tuple((label, *(_share(seen, label) for seen in (one, other))) for label in labels)
    decided = ("decision", *(_decision(seen) for seen in (one, other)))
    return Table(head=("label", one.name, other.name), rows=(*rows, decided))


def _share(seen: SeenVerdict, label: str) -> str:
    return percent(seen.verdict.posterior[label]) if label in seen.verdict.posterior else "no probability"


def _decision(seen: SeenVerdict) -> str:
    decision = seen.verdict.decision
    return f"commit to {decision.label}" if decision.action == "commit" else "refer"


def _opinion(seen: SeenVerdict, opinion: Opinion | None) -> str:
    if opinion is None:
        return "no opinion"
    return opinion.label if seen.verdict.unfamiliar else f"{opinion.label} {percent(opinion.confidence)}"


def _agents(one: SeenVerdict, other: SeenVerdict) -> Table:
    first, second = opinions(one.verdict), opinions(other.verdict)
    rows = tuple(
        (
            agent,
            *(_opinion(seen, said.get(agent)) for seen, said in ((one, first), (other, second))),
        )
        for agent in dict.fromkeys((*first, *second))
    )
    return Table(head=("agent said", one.name, other.name), rows=rows)


COMPARE = Action(
    "compare",
    Other,
    compare,
    help="Compare this image with another one of the session.",
    saying="compare with the second image",
    phrases=phrases(
        r"compare(?: (?:{IT}|them|both|the (?:two )?images|the two))?",
        r"compare (?:{IT} )?(?:with |to |and |against )?{image}",
        r"how does {IT} (?:differ from|compare (?:to|with)) {image}",
        r"(?:what is the )?difference (?:to|from|between {IT} and) {image}",
    ),
)
