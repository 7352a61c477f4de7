"""What a person says is true."""

from doubleread.sessions.actions.facts import percent, read
from doubleread.sessions.intent import Intent
from doubleread.sessions.names import Unclear
from doubleread.sessions.record import Confirm, Order, Reply, Text, Undo
from doubleread.sessions.standing import Answered, Standing


async def decide(intent: Intent, standing: Standing) -> Answered:
    """An order to keep it, and what that means. Raises ``Unclear`` where there is nothing to confirm."""
    seen = read(standing)
    name, case, verdict = seen
    before, label = standing.decided.get(case.id), intent.label
    if label is None:
        offers = [f"/correct {one}" for one in standing.panel.task.names]
        raise Unclear(f"no agent gave an opinion on {name}: say what it is", offers)
    if label == before:
        raise Unclear(f"{name} is decided to be {label} already; nothing was changed", ("/undo",))
    found = f"the panel found {verdict.label} likeliest, at {percent(verdict.confidence)}" if verdict.posterior else ""
    found = f"to the panel it looked most like {verdict.label}" if verdict.unfamiliar else found
    lines = [f"{name} is {label}, you say{f'; {found}' if found else ''}"]
    if before:
        by = f" by {standing.deciders[case.id]}" if standing.deciders.get(case.id) else ""
        lines.append(f"this takes the place of {before}, which was said before{by}")
    if not verdict.opinions:
        lines.append(
            "no agent gave an opinion: the decision is kept in this session, and trust and archive learn nothing"
        )
    elif standing.panel.learned_from(case):
        lines.append("the panel has learned from this image: the decision is kept in this session, not in its trust")
    else:
        lines.append(f"it is put to the panel's trust as an outcome, and to the archive as a {label} case")
        lines.append("the decision tells what was kept, and why, where it could not be")
    if verdict.evidence is not None and verdict.evidence.near_copies:
        lines.append(
            "nearly the same picture is stored: where the panel learned from it, only this session keeps the decision"
        )
    lines.append("/undo takes it back")
    return _ordered(lines, Confirm(label=label), "/undo")


async def undo(_intent: Intent, standing: Standing) -> Answered:
    """An order to take the last decision back. Raises ``Unclear`` where there is none."""
    if not standing.decided:
        raise Unclear("nothing was confirmed or corrected in this session: there is nothing to take back")
    return _ordered(["taking the last decision back, out of trust and archive too"], Undo())


def _ordered(lines: list[str], order: Order, *suggestions: str) -> Answered:
    return Answered(Reply(blocks=(Text(lines=tuple(lines)),), suggestions=suggestions), (order,))
