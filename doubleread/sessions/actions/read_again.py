"""Reading the image again."""

from collections.abc import Iterator

from doubleread.sessions.actions.facts import current
from doubleread.sessions.intent import Intent
from doubleread.sessions.names import Unclear
from doubleread.sessions.record import How, Read, Reply, Text
from doubleread.sessions.standing import Answered, Standing


async def read_again(intent: Intent, standing: Standing) -> Answered:
    """An order to read it as was said. Raises ``Unclear`` where nobody would be left to ask."""
    seen, how = current(standing), intent.how
    left = [name for name in how.only or standing.panel.agents if name not in how.without]
    if not left:
        raise Unclear("nobody would be left to read it: leave out fewer agents")
    line = " ".join([f"reading {seen.name} again", *_words(how)])
    return Answered(Reply(blocks=(Text(lines=(line,)),)), (Read(how=how),))


def _words(how: How) -> Iterator[str]:
    if how.without:
        yield f"without {', '.join(how.without)}"
    if how.only:
        yield f"by {', '.join(how.only)} only"
    if how.k:
        yield f"with {how.k} similar cases"
    if how.look_again:
        yield "with a second look"
