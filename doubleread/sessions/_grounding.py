"""The context given to a conversation model, and the check that its numbers have a source."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from doubleread.sessions.record import Bars, Block, Cases, Maps, Reply, Table, Text
from doubleread.sessions.standing import TalkTurn

LONGEST = 1000
"""Maximum length of one turn in characters."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?:\s*(?P<percent>%|per ?cent\b|percent\b))?", re.IGNORECASE)


def remembered(earlier: Sequence[TalkTurn], most: int) -> list[TalkTurn]:
    """Returns the latest turns that fit into ``most`` characters, starting with a person's and ending with a reply.

    Consecutive turns of one speaker are merged, since not every model accepts them. Long turns are cut.
    """
    turns = [_cut(turn) for turn in _in_turn(earlier)]
    while turns and turns[-1].by == "person":  # no reply: the program ended
        turns.pop()
    while turns and (turns[0].by != "person" or sum(len(turn.text) for turn in turns) > most):
        turns.pop(0)
    return turns


def _in_turn(earlier: Iterable[TalkTurn]) -> Iterable[TalkTurn]:
    for by, turns in groupby(earlier, key=lambda turn: turn.by):
        yield TalkTurn(by, "\n".join(turn.text for turn in turns))


def _cut(turn: TalkTurn) -> TalkTurn:
    return turn if len(turn.text) <= LONGEST else TalkTurn(turn.by, f"{turn.text[: LONGEST - 1]}…")


def plain_text(reply: Reply) -> str:
    """Formats a reply as plain text, line by line; table cells are separated by bars."""
    return "\n".join(line for block in reply.blocks for line in _lines(block))


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        yield from block.lines
    elif isinstance(block, Table):
        yield from (" | ".join(row) for row in (block.head, *block.rows))
    elif isinstance(block, Cases):
        yield from filter(None, [block.title])
        yield from (f"{one.label}, cosine similarity {one.similarity:.3f}: {one.source}" for one in block.cases)
    elif isinstance(block, Maps):
        yield from block.found.lines
    elif isinstance(block, Bars):
        yield from filter(None, [block.title])
        for name, share in block.shares.items():
            before = f" (before {block.before[name]:.1%})" if name in block.before else ""
            yield f"{name} {share:.1%}{before}"


def untold(text: str, told: Iterable[str]) -> tuple[str, ...]:
    """Returns the numbers in a text that occur in no source with the same digits and the same use of per cent."""
    known = {number for one in told for number in _numbers(one)}
    return tuple(written for number, written in _numbers(text).items() if number not in known)


def _numbers(text: str) -> dict[tuple[str, bool], str]:
    """Returns the numbers of a text as written, keyed by their digits and whether they are per cent."""
    return {(_digits(found), bool(found["percent"])): found[0] for found in _NUMBER.finditer(text)}


def _digits(found: re.Match[str]) -> str:
    return re.split(r"\s*(?:%|p)", found[0].casefold())[0].strip()
