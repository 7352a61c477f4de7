"""What would change the verdict: costs, prevalences, and agents without which it would be another."""

from doubleread.sessions.actions.facts import said, spoken, standing_line, unlike
from doubleread.sessions.intent import Intent
from doubleread.sessions.standing import Answered, Standing


async def what_would_change(_intent: Intent, standing: Standing) -> Answered:
    """Every turning point, and what would be without each agent that decides it."""
    seen = spoken(standing)
    if seen.verdict.unfamiliar:
        told = ("it is referred to a person whatever costs or prevalence are", *seen.verdict.decision.reasons)
        return unlike(seen, *told, suggestions=("/similar", "/read-again"))
    verdict = seen.verdict
    explained = standing.panel.explain(verdict)
    turning = [one for one in explained.without if one.changes]
    lines = [standing_line(verdict), *(point.line for point in explained.turning_points)]
    if not explained.turning_points:
        reasons = "; ".join(verdict.decision.reasons)
        lines.append(f"no cost or prevalence would change it, for expected cost did not decide it: {reasons}")
    lines.extend(f"without {one.agent} it would {one.outcome}" for one in turning)
    if explained.without and not turning:
        lines.append("no single agent turns it by being left out")
    return said(lines, suggestions=(*(f"/read-again without {one.agent}" for one in turning), "/read-again look-again"))
