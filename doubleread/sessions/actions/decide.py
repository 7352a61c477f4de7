"""Records what a person says is true."""

from typing import Annotated

from doubleread.core.base import Record
from doubleread.core.verdict_wording import looks_like, sure
from doubleread.sessions.actions._facts import read
from doubleread.sessions.actions.action import Action, Heard, Intent, Nothing, Slots
from doubleread.sessions.actions.arguments import TRUE_LABEL, exact_label
from doubleread.sessions.names import Known, Unclear
from doubleread.sessions.phrases import Phrase, phrases
from doubleread.sessions.record import Confirm, Order, Reply, Text, Undo
from doubleread.sessions.standing import Response, Standing


class Truth(Record):
    """The true label; defaults to the most likely one, and None if there is none."""

    label: Annotated[str | None, TRUE_LABEL] = None


class OtherTruth(Truth):
    """The true label, which must be named."""

    label: Annotated[str | None, TRUE_LABEL]


async def decide(asked: Truth, standing: Standing) -> Response:
    """Orders a confirmation and says what it means. Raises ``Unclear`` if there is nothing to confirm."""
    seen = read(standing)
    name, case, verdict = seen
    before, label = standing.decided.get(case.id), asked.label
    if label is None:
        offers = [f"/correct {one}" for one in standing.panel.task.names]
        raise Unclear(f"no agent gave an answer on {name}: say what it is", offers)
    if label == before:
        raise Unclear(f"{name} is already recorded as {label}; nothing was changed", ("/undo",))
    found = f"the panel says {verdict.label}, {sure(verdict.confidence)}" if verdict.posterior else ""
    found = f"the panel says that it {looks_like(verdict)}" if verdict.unfamiliar else found
    lines = [f"{name} is {label}, you say{f'; {found}' if found else ''}"]
    if before:
        by = f" by {standing.deciders[case.id]}" if standing.deciders.get(case.id) else ""
        lines.append(f"this replaces {before}, recorded before{by}")
    if not verdict.opinions:
        lines.append(
            "no agent gave an answer: the label is kept in this session only, and the panel does not learn from it"
        )
    elif standing.panel.learned_from(case):
        lines.append("the panel has already learned from this image: the label is kept in this session only")
    else:
        lines.append(f"the agents' records and the archive of labelled images learn it as {label}")
        lines.append("the entry in this session says what was kept, or why it could not be kept")
    if verdict.evidence is not None and verdict.evidence.near_copies:
        lines.append(
            "nearly the same picture is already stored: if the panel learned from it, only this session keeps the label"
        )
    lines.append("/undo takes it back")
    return _ordered(lines, Confirm(label=label), "/undo")


async def undo(_asked: Nothing, standing: Standing) -> Response:
    """Orders the last decision to be undone. Raises ``Unclear`` if there is none."""
    if not standing.decided:
        raise Unclear("nothing was confirmed or corrected in this session: there is nothing to undo")
    return _ordered(["undoing the last label, also in the agents' records and the archive"], Undo())


def _ordered(lines: list[str], order: Order, *suggestions: str) -> Response:
    return Response(Reply(blocks=(Text(lines=tuple(lines)),), suggestions=suggestions), (order,))


def _confirmed(rest: str, known: Known, _heard: Heard) -> Truth:
    return Truth(label=exact_label(rest, known) if rest else known.leading)


def _agreed(phrase: Phrase, slots: Slots, known: Known, _heard: Heard) -> Truth:
    if "label" not in slots:
        if known.labels.exact(slots.get("agreed", "")):
            raise Unclear(f"“{slots['agreed']}” is a label too; nothing was confirmed", ("/confirm",))
        return Truth(label=known.leading)
    label = exact_label(slots["label"], known)
    if phrase.note == "yes" and label != known.leading:
        raise Unclear(f"the panel says {known.leading}, not {label}; nothing was confirmed", (f"/correct {label}",))
    return Truth(label=label)


def _objected(phrase: Phrase, slots: Slots, known: Known, _heard: Heard) -> OtherTruth | Intent:
    label = exact_label(slots["label"], known)
    if phrase.note == "no" and label == known.leading:
        raise Unclear(f"the panel says {label} too; nothing was confirmed", (f"/confirm {label}",))
    if label == known.leading:
        return Intent(command="confirm", arguments=Truth(label=label))
    return OtherTruth(label=label)


CONFIRM = Action(
    "confirm",
    Truth,
    decide,
    help="Confirm the panel's label, or another one: the panel learns from it.",
    saying="yes, that's right",
    typed=_confirmed,
    understood=_agreed,
    decides=True,
    phrases=(
        Phrase(
            r"{YES}?(?:(?:{IS}|that's) (?P<agreed>right|correct|true)|you(?:'re| are) (?P<agreed_>right|correct)"
            r"|i (?:agree|confirm)(?: (?:it|this|that))?|confirm(?:ed)?(?: (?:it|this|that))?|agreed)"
        ),
        Phrase(r"{YES}{IS} {REALLY}{ART}{label}", "yes"),
        Phrase(r"(?:please )?confirm(?: (?:it|this|that))?(?: as| to be|:)? {ART}{label}"),
    ),
)
CORRECT = Action(
    "correct",
    OtherTruth,
    decide,
    help="Give the true label, if the panel is wrong: the panel learns from it.",
    saying="no, it's X",
    question="what is it? Name the label",
    understood=_objected,
    decides=True,
    phrases=(
        Phrase(r"(?:no|nope|wrong),? (?:{IS} )?{REALLY}{ART}{label}", "no"),
        *phrases(
            r"(?:actually,? |really,? )?{IS} {REALLY}{ART}{label}",
            r"(?:no,? )?(?:the )?(?:true |right |correct |real )?(?:label|answer|diagnosis)(?: here)? is {ART}{label}",
            r"(?:correct|change|set|label|mark|record) (?:it|this|that|the label)? ?(?:to|as|:) {ART}{label}",
            r"(?:actually|in truth|in fact),? {ART}{label}",
        ),
    ),
)
UNDO = Action(
    "undo",
    Nothing,
    undo,
    help="Undo the last confirmation or correction.",
    saying="take that back",
    decides=True,
    phrases=phrases(
        r"(?:undo|revert)(?: (?:it|that|this))?|take (?:it|that|this) back|take back(?: (?:it|that|this))?",
        r"take (?:the |my )?(?:last )?(?:confirmation|correction|decision) back|take back (?:the |my )?(?:last )?"
        r"(?:confirmation|correction|decision)",
    ),
)
