"""The single agent that hindsight would choose."""

from doubleread.evals.metrics.evaluation import Evaluation, ReaderFigures


def most_accurate(found: Evaluation) -> ReaderFigures:
    """The agent with the highest accuracy."""
    return max(found.agents, key=lambda one: one.accuracy.value)


def surest(found: Evaluation) -> ReaderFigures:
    """The agent with the lowest log-loss."""
    return min(found.agents, key=lambda one: one.nll.value)
