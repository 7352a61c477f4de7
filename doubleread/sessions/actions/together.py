"""One verdict for several images of the session that show one subject."""

from typing import Annotated

from doubleread.core.base import Record
from doubleread.core.verdict import Unread, Verdict
from doubleread.core.verdict_wording import first_screen, image_name
from doubleread.sessions.actions._facts import percent, said, sorted_shares
from doubleread.sessions.actions.action import Action, Heard, Kind
from doubleread.sessions.actions.arguments import divided
from doubleread.sessions.names import Known, Unclear
from doubleread.sessions.phrases import phrases
from doubleread.sessions.record import Bars, Table
from doubleread.sessions.standing import CaseSeen, Response, Standing


def _images_in(text: str, known: Known, heard: Heard) -> tuple[str, ...]:
    if text.casefold() in ("", "all"):
        return ()
    found = tuple(dict.fromkeys(known.images.find(part, heard) for part in divided(text)))
    if len(found) < 2:
        raise Unclear("name at least two images of the subject, with commas between them", ("/together", "/images"))
    return found


IMAGES = Kind("IMAGE, IMAGE…", _images_in, {"image": _images_in})
"""Case ids of images in the session; none stands for all."""


class SubjectImages(Record):
    """The images of a subject; none stands for all of the session."""

    images: Annotated[tuple[str, ...], IMAGES] = ()


async def together(asked: SubjectImages, standing: Standing) -> Response:
    """Pools the last verdict on each image. No agent is asked again."""
    seen = [standing.cases[case] for case in asked.images or standing.cases]
    if len(seen) < 2:
        raise Unclear("one verdict for a subject needs at least two images in this session: add more", ("/images",))
    verdict = standing.panel.pool([_result(one) for one in seen], subject=f"{seen[0].name} and {len(seen) - 1} more")
    bars = (Bars(shares=sorted_shares(verdict.posterior)),) if verdict.posterior else ()
    return said(
        (f"one verdict for {len(seen)} images", *first_screen(verdict)),
        *bars,
        _table(verdict),
        suggestions=("/images", *(f"/switch {one.name}" for one in seen[:1])),
    )


def _result(seen: CaseSeen) -> Verdict | Unread:
    if not seen.verdicts:
        return Unread(source=seen.name, code="failure", problem="there is no verdict on it")
    return seen.verdicts[-1]


def _table(verdict: Verdict) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            image_name(shot),
            shot.label or "no answer",
            percent(shot.confidence) if shot.posterior else "not counted",
            shot.decision.action,
        )
        for shot in verdict.shots
    ]
    rows += [(one.source, "not read", "not counted", "") for one in verdict.unread]
    return Table(head=("image", "panel says", "sure", "alone"), rows=tuple(rows))


TOGETHER = Action(
    "together",
    SubjectImages,
    together,
    help="One verdict for several images of one subject; all of the session if none is named.",
    saying="they show the same plant",
    phrases=phrases(
        r"(?:take|judge|diagnose|read|put) (?:them|these|all|(?:all|the) {CASES})(?: all)? together",
        r"(?:they|these)(?: all)? (?:are|show) (?:all )?(?:of )?(?:one|the same) "
        r"(?:plant|subject|module|patient|leaf|part)",
        r"(?:give me |what is )?(?:one|the) verdict (?:for|on) (?:all|them|these)(?: {CASES})?(?: together)?",
    ),
)
