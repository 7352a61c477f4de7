"""Failures that go on failing: while fitting, waiting teaches nothing about an agent that can never answer."""

from collections.abc import Iterable, Sequence

from doubleread.core.errors import PanelError
from doubleread.core.opinion import Abstention, AbstentionCause, Answer

HOPELESS: frozenset[AbstentionCause] = frozenset({"authentication", "not-found", "quota", "budget"})


def check_able(agents: Iterable[str], rows: Sequence[Sequence[Answer]]) -> None:
    """Raises ``PanelError`` where an agent failed in a way that goes on failing: nothing is learned from waiting."""
    for i, name in enumerate(agents):
        said = [row[i] for row in rows]
        failed = [a for a in said if isinstance(a, Abstention)]
        hopeless = next((a for a in failed if a.cause in HOPELESS), None)
        if hopeless is None and len(failed) == len(said) and all(a.cause == "network" for a in failed):
            hopeless = failed[0]
        if hopeless is not None:
            raise PanelError(
                f"agent {name} cannot answer ({hopeless.cause}): {hopeless.detail}; mend it and fit again "
                "(answers that were given are kept), or leave it out of panel.agents"
            )
