"""The evidence for and against a label other than the verdict's."""

from collections.abc import Iterator
from typing import Annotated

from doubleread.core.base import Record
from doubleread.core.verdict import Verdict
from doubleread.core.verdict_wording import fitting_labels, looks_like
from doubleread.sessions.actions._facts import SeenVerdict, opinions, percent, said, spoken, unlike
from doubleread.sessions.actions.action import Action, Heard, Intent, Slots
from doubleread.sessions.actions.arguments import LABEL
from doubleread.sessions.actions.why import WHY, Account
from doubleread.sessions.names import Known
from doubleread.sessions.phrases import Phrase, phrases
from doubleread.sessions.record import Table
from doubleread.sessions.standing import Response, Standing


class Rival(Record):
    """A label other than the verdict's."""

    label: Annotated[str, LABEL]


async def why_not(asked: Rival, standing: Standing) -> Response:
    """Compares the label with the most likely one: agents, similar cases, prediction set, and what would change it."""
    seen, label = spoken(standing), asked.label
    if seen.verdict.unfamiliar:
        lines = (*_said(seen.verdict, label), *_similar(seen.verdict, label))
        return unlike(seen, f"it {looks_like(seen.verdict)}", *lines, suggestions=(f"/similar {label}", "/who"))
    if label == seen.verdict.label:
        told = await WHY.run(Account(label=label), standing)
        first = said((f"{label} is the most likely label.",)).reply
        assert first is not None
        assert told.reply is not None
        return Response(told.reply.model_copy(update={"blocks": (*first.blocks, *told.reply.blocks)}))
    lines = (*_lines(seen, label), *_turning(seen.verdict, label, standing))
    return said(lines, _table(seen.verdict, label), suggestions=(f"/similar {label}", "/what-would-change"))


def _lines(seen: SeenVerdict, label: str) -> Iterator[str]:
    verdict = seen.verdict
    leading, shares = str(verdict.label), verdict.posterior
    yield f"{label} is less likely than {leading}: {percent(shares[label])} against {percent(shares[leading])}"
    yield from _said(verdict, label)
    for line in _similar(verdict, label):
        assert verdict.evidence is not None
        share = percent(verdict.evidence.distribution[label])
        yield f"{line}; weighted by similarity, they make {label} {share} likely"
    if verdict.prediction_set and verdict.coverage is not None:
        ruled_out = "cannot" if label in verdict.prediction_set else "can"
        yield f"{label} {ruled_out} be ruled out at {percent(verdict.coverage)} (prediction set)"
    elif verdict.coverage is not None:
        yield fitting_labels(verdict)


def _said(verdict: Verdict, label: str) -> Iterator[str]:
    speakers = [one.agent for one in opinions(verdict).values() if one.label == label]
    yield (
        f"{', '.join(speakers)} {'says' if len(speakers) == 1 else 'say'} {label}"
        if speakers
        else f"no agent says {label}"
    )


def _similar(verdict: Verdict, label: str) -> Iterator[str]:
    cases, leading = verdict.evidence.neighbours if verdict.evidence else (), str(verdict.label)
    if cases:
        found = [sum(one.label == name for one in cases) for name in (label, leading)]
        against = "" if label == leading else f" and {found[1]} {leading}"
        yield f"of the {len(cases)} most similar labelled images, {found[0]} are {label}{against}"


def _turning(verdict: Verdict, label: str, standing: Standing) -> Iterator[str]:
    explained = standing.panel.explain(verdict)
    turning = [p.line for p in explained.turning_points if p.at is not None and label in (p.commits_to, p.leading)]
    alone = [one.agent for one in explained.without if one.label == label]
    yield from turning
    yield from (f"without {agent}, {label} would be the most likely label" for agent in alone)
    if not turning and not alone:
        yield f"changing one cost or prevalence, or leaving out one agent, would not make it {label}"


def _table(verdict: Verdict, label: str) -> Table:
    leading = str(verdict.label)
    rows = tuple((agent, percent(p[label]), percent(p[leading])) for agent, p in verdict.calibrated.items())
    whole = ("panel", percent(verdict.posterior[label]), percent(verdict.posterior[leading]))
    return Table(head=("agent, calibrated", label, leading), rows=(*rows, whole))


def _understood(phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> Rival | Intent:
    """Treats the question as "why" if the label is the leading one."""
    asked = WHY_NOT.filled(slots, known, heard)
    if phrase.note == "or why" and asked.label == known.leading:
        return Intent(command="why", arguments=Account(label=asked.label))
    return asked


WHY_NOT = Action(
    "why-not",
    Rival,
    why_not,
    help="The evidence for and against another label.",
    saying="why not X?",
    question="why not what? Name a label",
    understood=_understood,
    phrases=(
        *phrases(
            r"why not",
            r"why (?:is |was |did |could |can |would |should )?(?:(?:{IT}|you|there) )?(?:no|not) "
            r"(?:(?:{IT}|you) )?(?:be |say |think |called )?{ART}{label}",
            r"(?:what (?:speaks|is there) against|rule out) {ART}{label}",
        ),
        *phrases(
            r"why (?:is |was |did )?(?:(?:{IT}|you|there) )?(?:is |be |say |think |called )?{ART}{label}",
            r"what makes you (?:think|say|believe)(?: of)?(?: {IS})? {ART}{label}",
            r"what speaks for {ART}{label}",
            r"(?:could|can|might|may) {IT} (?:also |not )?be {ART}{label}",
            r"(?:is|was) (?:it|this|that) (?:not |maybe |perhaps )?{ART}{label}",
            r"(?:how|what) about {ART}{label}",
            note="or why",
        ),
    ),
)
