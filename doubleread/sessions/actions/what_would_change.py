"""What would change the verdict: costs, prevalences, and leaving out an agent."""

from doubleread.sessions.actions._facts import said, spoken, standing_line, unlike
from doubleread.sessions.actions.action import Action, Nothing
from doubleread.sessions.phrases import phrases
from doubleread.sessions.standing import Response, Standing


async def what_would_change(_asked: Nothing, standing: Standing) -> Response:
    """Lists every turning point, and the verdict without each agent that decides it."""
    seen = spoken(standing)
    if seen.verdict.unfamiliar:
        told = ("a person has to look at it, whatever the costs and the prevalence", *seen.verdict.decision.reasons)
        return unlike(seen, *told, suggestions=("/similar", "/read-again"))
    verdict = seen.verdict
    explained = standing.panel.explain(verdict)
    turning = [one for one in explained.without if one.changes]
    lines = [standing_line(verdict), *(point.line for point in explained.turning_points)]
    if not explained.turning_points:
        reasons = "; ".join(verdict.decision.reasons)
        lines.append(f"no cost or prevalence would change it, because costs did not decide it: {reasons}")
    lines.extend(f"without {one.agent}, the panel would {one.outcome}" for one in turning)
    if explained.without and not turning:
        lines.append("leaving out one agent would not change it, whichever one it is")
    return said(lines, suggestions=(*(f"/read-again without {one.agent}" for one in turning), "/read-again look-again"))


WHAT_WOULD_CHANGE = Action(
    "what-would-change",
    Nothing,
    what_would_change,
    help="The costs, prevalences and agents that would change the verdict.",
    saying="what would change your mind?",
    phrases=phrases(
        r"what (?:would|could|might|does) (?:it take|change|turn|flip)(?: .+ (?:mind|verdict|decision"
        r"|opinion|answer|diagnosis)| {IT}| anything)?",
        r"when would (?:you|it|the panel) (?:decide|say|think|change|refer|commit).*",
        r"what would make (?:you|it|the panel) (?:decide|say|think|change|refer|commit).*",
        r"(?:the )?turning points|how (?:stable|robust|close|fragile) is {IT}",
    ),
)
