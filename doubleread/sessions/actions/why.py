"""Explains the verdict."""

from collections.abc import Iterator

from doubleread.core.base import Record
from doubleread.core.verdict import Verdict
from doubleread.core.verdict_wording import other_warnings, record_line
from doubleread.sessions.actions._facts import percent, read, said, sorted_shares, standing_line
from doubleread.sessions.actions.action import Action
from doubleread.sessions.phrases import phrases
from doubleread.sessions.record import Bars
from doubleread.sessions.standing import Response, Standing


class Account(Record):
    """The label the question named, if any: the most likely one."""

    label: str | None = None


async def why(_asked: Account, standing: Standing) -> Response:
    """Explains what each agent said and how far it is trusted, leave-one-out verdicts, and guarantees."""
    seen = read(standing)
    verdict, explained = seen.verdict, standing.panel.explain(seen.verdict)
    if verdict.unfamiliar:
        lines = (f"{seen.name}: {standing_line(verdict)}", *explained.lines[1:], *other_warnings(verdict))
        return said(lines, suggestions=("/similar", "/who"))
    bars = [Bars(title="calibrated", shares=sorted_shares(verdict.posterior))] if verdict.posterior else []
    others = [name for name in sorted_shares(verdict.posterior) if name != verdict.label]
    lines = (f"{seen.name}: {standing_line(verdict)}", *explained.lines, *_promises(verdict), *other_warnings(verdict))
    return said(lines, *bars, suggestions=(*(f"/why-not {name}" for name in others[:1]), "/similar", "/who"))


def _promises(verdict: Verdict) -> Iterator[str]:
    if verdict.prediction_set and verdict.coverage is not None:
        share = percent(verdict.coverage)
        yield f"for images like the calibration images, {share} of the prediction sets contain the true label"
    if verdict.track is not None:
        yield record_line(verdict)


WHY = Action(
    "why",
    Account,
    why,
    help="The reasons for the verdict.",
    saying="why?",
    phrases=phrases(
        r"why(?: (?:so|(?:is )?{IT}(?: so)?))?",
        # before phrases that take what follows "why" for a label
        r"why (?:(?:is|was|did|do|does|are|were) )?(?:not )?(?:(?:{IT}|you|they|the panel) )?(?:(?:is|was) )?(?:not )?"
        r"(?:being )?(?:confirm|commit|refer|decide|sure|certain)(?:red|ted|ed|d)?(?: (?:so|that|this|it))?",
        r"(?:explain|justify)(?: (?:{IT}|yourself))?|how (?:so|come)|(?:give me )?(?:the |your )?reasons",
        r"how (?:sure|certain|confident) (?:are you|is {IT}|is the panel)(?: (?:of|about) {IT})?",
        r"what makes you (?:think|say|believe) (?:so|that|this)|what (?:is {IT}|do you (?:see|think))",
    ),
)
