"""A reply as plain text: for a model, and for wherever only text can be shown."""

from collections.abc import Iterator

from doubleread.sessions.record import Bars, Block, Cases, Maps, Reply, Table, Text


def plain_text(reply: Reply) -> str:
    """Line by line, tables with bars between their cells."""
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
