"""Reading the image again."""

from collections.abc import Iterator

from doubleread.sessions.actions.facts import current
from doubleread.sessions.intent import Intent
from doubleread.sessions.manner import asked, named_in, unheard
from doubleread.sessions.names import Unclear
from doubleread.sessions.record import How, Read, Reply, Text
from doubleread.sessions.standing import Answered, Standing


async def read_again(intent: Intent, standing: Standing) -> Answered:
    """An order to read it as was said. Raises ``Unclear`` where nobody would be left to ask, or to hear the hint."""
    seen, how = current(standing), intent.how
    left = asked(how, standing.panel.agents)
    if not left:
        raise Unclear("nobody would be left to read it: leave out fewer agents")
    lines = (" ".join([f"reading {seen.name} again", *_words(how)]), *_of_hint(how.hint, left, standing))
    return Answered(Reply(blocks=(Text(lines=lines),)), (Read(how=how),))


def _of_hint(hint: str, left: tuple[str, ...], standing: Standing) -> Iterator[str]:
    """Who is told, and what a reading with a hint is worth."""
    if not hint:
        return
    taking = standing.panel.taking_hints
    told, deaf = [one for one in left if one in taking], [one for one in left if one not in taking]
    if not told:
        raise Unclear(unheard(taking), ("/read-again look-again",))
    yield f"{', '.join(told)} {'is' if len(told) == 1 else 'are'} told, as a person's unverified note: “{hint}”"
    if deaf:
        yield f"{', '.join(deaf)} cannot be told anything"
    if named := named_in(hint, standing.panel.task.names):
        yield f"it names {', '.join(named)}: who is told an answer tends to give it"
    yield "trust was measured without hints: how far such a reading can be trusted is not known, and it teaches none"


def _words(how: How) -> Iterator[str]:
    if how.without:
        yield f"without {', '.join(how.without)}"
    if how.only:
        yield f"by {', '.join(how.only)} only"
    if how.k:
        yield f"with {how.k} similar cases"
    if how.look_again:
        yield "with a second look"
