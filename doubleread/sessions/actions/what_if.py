"""The verdict at other costs, or where labels are more or less common."""

from collections.abc import Iterable, Iterator

from doubleread.core.task import Costs
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.explanation.counterfactual import WhatIf
from doubleread.sessions.actions.facts import percent, said, sorted_shares, spoken, standing_line, unlike
from doubleread.sessions.intent import Intent, Price
from doubleread.sessions.names import Unclear
from doubleread.sessions.record import Bars
from doubleread.sessions.standing import Answered, Standing


async def costs(intent: Intent, standing: Standing) -> Answered:
    """What would be decided at other costs; the probabilities stay."""
    seen = spoken(standing)
    if seen.verdict.unfamiliar:
        return unlike(seen, "it is referred to a person whatever an error or a referral costs")
    verdict = seen.verdict
    then = standing.panel.what_if(verdict, costs=_priced(standing, intent.prices))
    lines = (*(f"supposing that {_told(price)}" for price in intent.prices), *_lines(verdict, then))
    return said(lines, suggestions=("/what-would-change",))


async def prevalence(intent: Intent, standing: Standing) -> Answered:
    """What would be likely and decided at other shares of the labels."""
    seen = spoken(standing)
    if seen.verdict.unfamiliar:
        return unlike(seen, "it is referred to a person however common a label is")
    verdict = seen.verdict
    now = standing.panel.what_if(verdict).prevalence
    stated = {**intent.shares, **{name: now[name] * times for name, times in intent.factors.items()}}
    if impossible := [name for name, share in stated.items() if not 0 < share < 1]:
        name = impossible[0]
        raise Unclear(f"{name} is taken to be {percent(now[name])} of cases now: it cannot be so many times as common")
    then = standing.panel.what_if(verdict, prevalence=stated)
    supposed = (
        f"supposing that {name} is {percent(then.prevalence[name])} of cases (taken to be {percent(now[name])} now)"
        for name in stated
    )
    bars = Bars(title="then", shares=sorted_shares(then.posterior), before=verdict.posterior)
    return said((*supposed, *_lines(verdict, then)), bars, suggestions=("/what-would-change",))


def _lines(verdict: Verdict, then: WhatIf) -> Iterator[str]:
    yield f"now: {standing_line(verdict)}"
    yield f"then, {'another verdict' if then.changes else 'the same verdict'}: {then.decision.reasons[0]}"
    if then.decision.action != "commit":
        yield f"the image would be referred, leaning to {then.label}"
    yield from then.warnings
    yield "nobody was asked again, and the prediction set promises nothing there"


def _priced(standing: Standing, prices: Iterable[Price]) -> Costs:
    """The task's costs with those that are named. Raises ``Unclear`` for an error that costs nothing at all."""
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
        raise Unclear("an error that costs nothing makes every verdict good: name a cost above 0")
    return Costs.model_validate({**now.model_dump(), **changed, "matrix": matrix})


def _told(price: Price) -> str:
    cost = f"costs {price.amount:g}"
    return {
        "referral": f"a referral {cost}",
        "error": f"an ordinary error {cost}",
        "missed": f"missing {price.label} {cost}",
        "mistaken": f"calling {price.label} {price.said} {cost}",
    }[price.of]
