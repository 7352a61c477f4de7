"""The verdict at other prevalences."""

import re

from pydantic import Field

from doubleread.core.base import Record
from doubleread.sessions.actions._facts import percent, said, sorted_shares, spoken, unlike
from doubleread.sessions.actions._what_if import now_and_then, pairs
from doubleread.sessions.actions.action import Action, Heard, Offers, Slots
from doubleread.sessions.actions.arguments import last_word
from doubleread.sessions.amounts import factor, share
from doubleread.sessions.names import Known, Unclear
from doubleread.sessions.phrases import Phrase, phrases
from doubleread.sessions.record import Bars
from doubleread.sessions.standing import Response, Standing


class StatedShares(Record):
    """Prevalences of labels, absolute or relative."""

    shares: dict[str, float] = Field(default_factory=dict)
    """Prevalence by label."""
    factors: dict[str, float] = Field(default_factory=dict)
    """Factor on the prevalence by label."""


async def prevalence(asked: StatedShares, standing: Standing) -> Response:
    """Says what the posterior and the decision would be at other prevalences."""
    seen = spoken(standing)
    if seen.verdict.unfamiliar:
        return unlike(seen, "a person has to look at it, however common a label is")
    verdict = seen.verdict
    now = standing.panel.what_if(verdict).prevalence
    stated = {**asked.shares, **{name: now[name] * times for name, times in asked.factors.items()}}
    if impossible := [name for name, share in stated.items() if not 0 < share < 1]:
        name = impossible[0]
        raise Unclear(
            f"{name} is assumed to be {percent(now[name])} of images now: it cannot be that many times as common"
        )
    then = standing.panel.what_if(verdict, prevalence=stated)
    supposed = (
        f"assuming that {name} is {percent(then.prevalence[name])} of all images (now {percent(now[name])})"
        for name in stated
    )
    bars = Bars(title="then", shares=sorted_shares(then.posterior), before=verdict.posterior)
    return said((*supposed, *now_and_then(verdict, then)), bars, suggestions=("/what-would-change",))


def _typed(rest: str, known: Known, heard: Heard) -> StatedShares:
    shares, factors = dict[str, float](), dict[str, float]()
    for name, value in pairs(rest, PREVALENCE.line):
        label = known.labels.find(name, heard)
        if re.fullmatch(r"[x×].+|.+[x×]", value, re.I):
            factors[label] = factor(value)
        else:
            shares[label] = share(value)
    return StatedShares(shares=shares, factors=factors)


def _understood(phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> StatedShares:
    label = known.labels.find(slots["label"], heard)
    if "share" in slots:
        return StatedShares(shares={label: share(slots["share"])})
    times = factor(slots["factor"])
    return StatedShares(factors={label: 1 / times if phrase.note == "rarer" else times})


def _offers(rest: str, standing: Standing) -> Offers:
    return last_word(rest, {f"{name}=": "share of all images" for name in standing.panel.task.names})


PREVALENCE = Action(
    "prevalence",
    StatedShares,
    prevalence,
    help="The verdict if labels were more or less common.",
    saying="what if X were twice as common?",
    usage="LABEL=SHARE",
    typed=_typed,
    understood=_understood,
    offers=_offers,
    without_slash=True,
    phrases=(
        Phrase(r"{WHATIF} {label} {BE} {factor} (?:as|more|so) (?:common|frequent|likely|prevalent|often)"),
        Phrase(r"{WHATIF} {label} {BE} {factor} (?:rarer|less (?:common|frequent|likely|prevalent))", "rarer"),
        *phrases(
            r"{WHATIF} (?:the )?(?:prevalence|share|frequency) of {label} {BE} {share}",
            r"{WHATIF} {share} (?:of )?(?:(?:all |the )*(?:cases|images|pictures) )?"
            r"(?:was|were|is|are|had|have) {label}",
            r"{WHATIF} {label} {BE} {share}(?:(?: of| all| the)* \w+)?",
        ),
    ),
)
