"""What asking models took, agent by agent: the same columns wherever it is shown."""

from doubleread.agents.wire.budget import Spending

SPENDING = ("agent", "calls", "from cache", "asked twice", "tokens in", "tokens out", "cost")
"""Headings; the first column is the agent's name."""
ASKED_TWICE = "asked twice: questions that were repeated because the first answer could not be read"


def spending_cells(one: Spending) -> tuple[str, ...]:
    """Returns the cells of one agent, after its name."""
    counts = (one.calls, one.cached, one.repeated, one.input_tokens, one.output_tokens)
    return (*(f"{n:,}" for n in counts), "unknown: no price" if one.unpriced else f"${one.cost_usd:.4f}")
