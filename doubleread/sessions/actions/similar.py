"""Finds the stored cases most similar to the image."""

from typing import Annotated

from doubleread.core.base import Record
from doubleread.sessions.actions._facts import current, said
from doubleread.sessions.actions.action import Action, Heard
from doubleread.sessions.actions.arguments import COUNT, LABEL
from doubleread.sessions.amounts import count
from doubleread.sessions.names import Known, Unclear
from doubleread.sessions.phrases import phrases
from doubleread.sessions.record import Cases
from doubleread.sessions.standing import Response, Standing

SHOWN = 6


class SimilarRequest(Record):
    """The label of the cases, and how many."""

    label: Annotated[str | None, LABEL] = None
    count: Annotated[int | None, COUNT] = None


async def similar(asked: SimilarRequest, standing: Standing) -> Response:
    """Returns the nearest cases, optionally of one label; never the image itself or its group."""
    seen, n = current(standing), asked.count or SHOWN
    labels = [asked.label] if asked.label else list(standing.panel.task.names)
    found = await standing.panel.nearest(seen.case, labels, n)
    nearest = sorted(found, key=lambda one: -one.similarity)[:n]
    of = f" of {asked.label}" if asked.label else ""
    if not nearest:
        raise Unclear(f"there is no labelled image{of} to compare {seen.name} with")
    fewer = f"; there are no more{of}" if len(nearest) < n else ""
    line = f"the {len(nearest)} labelled images{of} that are most similar to {seen.name}{fewer}"
    others = [name for name in standing.panel.task.names if name != asked.label]
    return said((line,), Cases(cases=tuple(nearest)), suggestions=[f"/similar {name}" for name in others[:2]])


def _typed(rest: str, known: Known, heard: Heard) -> SimilarRequest:
    """Parses an optional label, which may end in a number, and an optional number."""
    if not rest or known.labels.exact(rest):
        return SimilarRequest(label=known.labels.exact(rest))
    label, _, number = rest.rpartition(" ")
    if not number.isdecimal():
        return SimilarRequest(label=known.labels.find(rest, heard))
    return SimilarRequest(label=known.labels.find(label, heard) if label else None, count=count(number))


SIMILAR = Action(
    "similar",
    SimilarRequest,
    similar,
    help="The most similar labelled images, of all labels or of one.",
    saying="show me similar cases of X",
    typed=_typed,
    without_slash=True,
    phrases=phrases(
        r"(?:{SHOW} )?(?:the )?(?:{count} )?(?:most )?(?:similar|like|nearest|closest|alike)(?: {CASES})?",
        r"(?:{SHOW} )?(?:the )?neighbou?r(?:s|ing cases)|what looks like {IT}|what does {IT} look like",
        r"(?:{SHOW} )?(?:the )?(?:{count} )?(?:most )?(?:similar|nearest|closest) {CASES} "
        r"(?:of|for|with|from|in|labelled)(?: label)? {label}",
        r"{SHOW} (?:{count} )?(?:more )?{CASES} (?:of|for|with|from|labelled)(?: label)? {label}",
        r"{SHOW} (?:{count} )?(?:most )?(?:similar |nearest |closest )?{label} {CASES}",
        r"what (?:does|do|would|did) {ART}{label}(?: {CASES})? look like",
    ),
)
