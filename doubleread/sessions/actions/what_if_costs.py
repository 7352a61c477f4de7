"""The verdict at other costs."""

import re
from collections.abc import Iterable
from typing import Literal

from doubleread.core.base import Record
from doubleread.core.task import Costs
from doubleread.sessions.actions._facts import said, spoken, unlike
from doubleread.sessions.actions._what_if import now_and_then, pairs
from doubleread.sessions.actions.action import Action, Heard, Offers, Slots
from doubleread.sessions.actions.arguments import last_word
from doubleread.sessions.amounts import amount
from doubleread.sessions.names import Known, Unclear, fold
from doubleread.sessions.phrases import Phrase, phrases
from doubleread.sessions.standing import Response, Standing


class StatedCost(Record):
    """The cost of a referral, of any error, of missing ``label``, or of calling ``label`` ``said``."""

    of: Literal["referral", "error", "missed", "mistaken"]
    label: str | None = None
    said: str | None = None
    amount: float


class StatedCosts(Record):
    """The costs that differ from the task's."""

    prices: tuple[StatedCost, ...]


async def costs(asked: StatedCosts, standing: Standing) -> Response:
    """Says what would be decided at other costs; the probabilities stay the same."""
    seen = spoken(standing)
    if seen.verdict.unfamiliar:
        return unlike(seen, "a person has to look at it, whatever an error or a referral costs")
    then = standing.panel.what_if(seen.verdict, costs=_priced(standing, asked.prices))
    lines = (*(f"assuming that {_told(price)}" for price in asked.prices), *now_and_then(seen.verdict, then))
    return said(lines, suggestions=("/what-would-change",))


def _priced(standing: Standing, prices: Iterable[StatedCost]) -> Costs:
    """Returns the task's costs with these changes. Raises ``Unclear`` if the cost of an error is 0."""
    now = standing.panel.task.costs
    matrix = {true: dict(row) for true, row in now.matrix.items()}
    changed: dict[str, float] = {}
    for price in prices:
        if price.of in ("referral", "error"):
            changed[price.of] = price.amount
        elif price.of == "mistaken":
            matrix.setdefault(str(price.label), {})[str(price.said)] = price.amount
        else:
            others = (name for name in standing.panel.task.names if name != price.label)
            matrix.setdefault(str(price.label), {}).update(dict.fromkeys(others, price.amount))
    if changed.get("error") == 0:
        raise Unclear("an error must cost more than 0")
    return Costs.model_validate({**now.model_dump(), **changed, "matrix": matrix})


def _told(price: StatedCost) -> str:
    cost = f"costs {price.amount:g}"
    return {
        "referral": f"a referral {cost}",
        "error": f"an ordinary error {cost}",
        "missed": f"missing {price.label} {cost}",
        "mistaken": f"calling {price.label} {price.said} {cost}",
    }[price.of]


def _typed(rest: str, known: Known, heard: Heard) -> StatedCosts:
    found = pairs(rest, COSTS.line)
    return StatedCosts(prices=tuple(_price(name, amount(value), known, heard) for name, value in found))


def _price(name: str, value: float, known: Known, heard: Heard) -> StatedCost:
    if fold(name) in ("referral", "referrals"):
        return StatedCost(of="referral", amount=value)
    if fold(name) in ("error", "errors"):
        return StatedCost(of="error", amount=value)
    true, arrow, said = name.partition(">")
    if arrow and known.labels.exact(name) is None:
        label, other = known.labels.find(true.strip(), heard), known.labels.find(said.strip(), heard)
        return StatedCost(of="mistaken", label=label, said=other, amount=value)
    return StatedCost(of="missed", label=known.labels.find(re.sub(r"^missed\s+", "", name), heard), amount=value)


def _understood(phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> StatedCosts:
    value = amount(slots["amount"])
    if phrase.note == "referral":
        return StatedCosts(prices=(StatedCost(of="referral", amount=value),))
    if phrase.note == "error":
        return StatedCosts(prices=(StatedCost(of="error", amount=value),))
    if phrase.note == "missed":
        label = known.labels.find(slots["label"], heard)
        return StatedCosts(prices=(StatedCost(of="missed", label=label, amount=value),))
    true, other = _two(slots["pair"], known) if "pair" in slots else (slots["true"], slots["other"])
    label, other = known.labels.find(true, heard), known.labels.find(other, heard)
    return StatedCosts(prices=(StatedCost(of="mistaken", label=label, said=other, amount=value),))


def _two(text: str, known: Known) -> tuple[str, str]:
    """Splits text into two labels. Raises ``Unclear`` if there is no way to split it, or more than one."""
    words = text.split()
    parted = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    sure = [pair for pair in parted if all(known.labels.exact(one) for one in pair)]
    if len(sure) == 1:
        return sure[0]
    raise Unclear(f"“{text}” is no pair of labels", ("/costs X>Y=5",))


def _offers(rest: str, standing: Standing) -> Offers:
    labels = {f"{name}=": f"missing {name}" for name in standing.panel.task.names}
    return last_word(rest, {"referral=": "a referral", "error=": "an ordinary error", **labels})


COSTS = Action(
    "costs",
    StatedCosts,
    costs,
    help="The verdict if a referral, an error, missing X, or calling X Y had other costs.",
    saying="what if a missed X costs 5?",
    usage="referral=C | error=C | X=C | X>Y=C",
    typed=_typed,
    understood=_understood,
    offers=_offers,
    without_slash=True,
    phrases=(
        Phrase(r"{WHATIF} {ART}(?:referrals?|referring(?: it| a case)?){COSTS} {amount}", "referral"),
        Phrase(r"{WHATIF} (?:an |every |each )?(?:errors?|mistakes?|wrong answers?){COSTS} {amount}", "error"),
        *phrases(
            r"{WHATIF} (?:missing|overlooking) {ART}{label}{COSTS} {amount}",
            r"{WHATIF} {ART}(?:missed|overlooked) {label}{COSTS} {amount}",
            note="missed",
        ),
        *phrases(
            r"{WHATIF} (?:mistaking|taking|confusing) {ART}{true} (?:for|with) {ART}{other}{COSTS} {amount}",
            r"{WHATIF} calling {ART}{pair}{COSTS} {amount}",
        ),
    ),
)
