"""The images of the session."""

from doubleread.sessions.actions._facts import current, percent, said
from doubleread.sessions.actions.action import Action, Nothing
from doubleread.sessions.actions.compare import Other
from doubleread.sessions.names import Unclear
from doubleread.sessions.phrases import phrases
from doubleread.sessions.record import Reply, Switch, Table, Text
from doubleread.sessions.standing import CaseSeen, Response, Standing


async def images(_asked: Nothing, standing: Standing) -> Response:
    """Lists the images with their verdicts and decisions."""
    if not standing.cases:
        raise Unclear("there is no image in this session yet: add one first")
    rows = tuple(
        (
            str(place),
            seen.name,
            *_found(seen),
            _decided(case, standing),
            "current" * (case == standing.current),
        )
        for place, (case, seen) in enumerate(standing.cases.items(), start=1)
    )
    others = [seen.name for case, seen in standing.cases.items() if case != standing.current]
    suggestions = [f"/switch {name}" for name in others[:2]] + [f"/compare {name}" for name in others[:1]]
    return said(
        (),
        Table(head=("", "image", "panel says", "decision", "label by a person", ""), rows=rows),
        suggestions=suggestions,
    )


def _decided(case: str, standing: Standing) -> str:
    by = f" by {standing.deciders[case]}" if standing.deciders.get(case) else ""
    return f"{standing.decided[case]}{by}" if case in standing.decided else ""


def _found(seen: CaseSeen) -> tuple[str, str]:
    if not seen.verdicts:
        return "not read yet", ""
    verdict = seen.verdicts[-1]
    if verdict.unfamiliar:
        return f"unlike the calibration images, most like {verdict.label}", verdict.decision.action
    likeliest = f"{verdict.label} {percent(verdict.confidence)}" if verdict.label else "no answer"
    return likeliest, verdict.decision.action


async def switch(asked: Other, standing: Standing) -> Response:
    """Orders a switch to another image."""
    case = asked.image
    if case == standing.current:
        raise Unclear(f"{current(standing).name} is already the current image", ("/images",))
    line = f"the current image is {standing.cases[case].name}"
    return Response(Reply(blocks=(Text(lines=(line,)),), suggestions=("/why",)), (Switch(case=case),))


IMAGES = Action(
    "images",
    Nothing,
    images,
    help="The images of the session, with verdicts and decisions.",
    phrases=phrases(
        r"(?:list |show |which |what )?(?:me )?(?:the |all |my )*(?:images|pictures|photos)(?: are there| do we have)?",
    ),
)
SWITCH = Action(
    "switch",
    Other,
    switch,
    help="Make another image the current one.",
    saying="switch to the first",
    phrases=phrases(
        r"(?:switch|go|change|turn|go back|back)(?: back)? to {image}",
        r"(?:let us |let's )?(?:now )?talk about {image}|open {image_}|show(?: me)? {image__}",
    ),
)
