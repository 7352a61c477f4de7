"""What a model that talks is told of the talk before: the latest turns, and no more than it is to pay for."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from doubleread.sessions.standing import Turn

LONGEST = 1000
"""Characters of one turn."""


def remembered(earlier: Sequence[Turn], most: int) -> list[Turn]:
    """The latest turns that fit into ``most`` characters together, from something a person said to a reply.

    Whoever spoke several times in a row spoke once: not every model can be told otherwise. A long turn is cut.
    """
    turns = [_cut(turn) for turn in _in_turn(earlier)]
    while turns and turns[-1].by == "person":  # nobody replied: the program ended
        turns.pop()
    while turns and (turns[0].by != "person" or sum(len(turn.text) for turn in turns) > most):
        turns.pop(0)
    return turns


def _in_turn(earlier: Iterable[Turn]) -> Iterable[Turn]:
    for by, turns in groupby(earlier, key=lambda turn: turn.by):
        yield Turn(by, "\n".join(turn.text for turn in turns))


def _cut(turn: Turn) -> Turn:
    return turn if len(turn.text) <= LONGEST else Turn(turn.by, f"{turn.text[: LONGEST - 1]}…")
