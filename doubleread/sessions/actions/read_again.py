"""Reads the image again."""

import re
from collections.abc import Iterator

from doubleread.core.base import Record
from doubleread.sessions.actions._facts import current
from doubleread.sessions.actions.action import Action, Heard, Offers, Slots
from doubleread.sessions.actions.arguments import agents_in, divided, last_word
from doubleread.sessions.amounts import count
from doubleread.sessions.intents import says_something
from doubleread.sessions.manner import asked, named_in, unheard
from doubleread.sessions.names import Known, Unclear, agents_of
from doubleread.sessions.phrases import Phrase, phrases
from doubleread.sessions.record import MAX_HINT, How, Read, Reply, Text
from doubleread.sessions.standing import Response, Standing

_WORDS = {
    "without": "leave agents out",
    "only": "ask only these agents",
    "look-again": "take a second look in any case",
    "k=": "similar cases to find",
    "hint:": "a hint for the agents that read text",
}
_HINT = re.compile(r"(?:^|\s)hint:\s*(?P<hint>.*)$", re.I)
_STATEMENT = re.compile(
    r"(?!(?:but |and |or )?(?:not|without|with|only|just|by|using|among|leaving|ignoring|asking|then|why|who|whom|what"
    r"|how|when|where|which|show|tell|say|explain|compare|switch|go|undo|confirm|correct|list)\b)(?=.*\s.*\s).*"
    r"\b(?:is|are|was|were|be|been|has|have|had|does|did|can|could|may|might|must|will|would|came|comes|grew|grows|got"
    r"|stood|stands|looks|seems|shows|\w{3,}ed|\w+n't|(?:it|that|there|he|she)'s|(?:they|we|you)'(?:re|ve))\b.*",
    re.IGNORECASE,
)
"""Text after "look again" counts as a hint if it states what something is, was or has."""


class Manner(Record):
    """How to read."""

    how: How = How()


async def read_again(wanted: Manner, standing: Standing) -> Response:
    """Orders a reading. Raises ``Unclear`` if no agent is left to ask, or none of them takes the hint."""
    seen, how = current(standing), wanted.how
    left = asked(how, standing.panel.agents)
    if not left:
        raise Unclear("no agent would be left to read it: leave out fewer agents")
    lines = (" ".join([f"reading {seen.name} again", *_words(how)]), *_of_hint(how.hint, left, standing))
    return Response(Reply(blocks=(Text(lines=lines),)), (Read(how=how),))


def _of_hint(hint: str, left: tuple[str, ...], standing: Standing) -> Iterator[str]:
    """Says which agents get the hint, and what a reading with a hint is worth."""
    if not hint:
        return
    taking = standing.panel.taking_hints
    told, deaf = [one for one in left if one in taking], [one for one in left if one not in taking]
    if not told:
        raise Unclear(unheard(taking), ("/read-again look-again",))
    yield f"{', '.join(told)} {'gets' if len(told) == 1 else 'get'} this unverified hint from a person: “{hint}”"
    if deaf:
        yield f"{', '.join(deaf)} cannot take hints"
    if named := named_in(hint, standing.panel.task.names):
        yield f"the hint names {', '.join(named)}: agents tend to repeat an answer that they are given"
    yield (
        "the agents' records were measured without hints: nobody knows how reliable this reading is, and the panel "
        "does not learn from it"
    )


def _words(how: How) -> Iterator[str]:
    if how.without:
        yield f"without {', '.join(how.without)}"
    if how.only:
        yield f"by {', '.join(how.only)} only"
    if how.k:
        yield f"with {how.k} similar cases"
    if how.look_again:
        yield "with a second look"


def _typed(rest: str, known: Known, heard: Heard) -> Manner:
    """Parses the command: words belong to the keyword before them, and a hint extends to the end."""
    found = _HINT.search(rest)
    hint, rest = (found["hint"], rest[: found.start()]) if found else ("", rest)
    if found and not hint.strip():
        raise Unclear("which hint? Say what the agents should know", ("/read-again hint: WORDS",))
    said: dict[str, list[str]] = {"without": [], "only": []}
    named, look, k = "", False, None
    for word in rest.split():
        lower = word.casefold()
        if lower in said:
            named = lower
        elif lower in ("look-again", "look_again"):
            look, named = True, ""
        elif lower.startswith("k="):
            k, named = count(word[2:]), ""
        elif named:
            said[named].append(word)
        else:
            raise Unclear(f"“{word}” is not understood in /read-again", (READ_AGAIN.line,))
    if "without" in rest.casefold().split() and not said["without"]:
        raise Unclear("without whom?", [f"/read-again without {name}" for name in known.agents.shown.values()])
    without, only = (_many(words, known, heard) for words in said.values())
    return _manner(without, only, look=look, k=k, hint=hint)


def _many(words: list[str], known: Known, heard: Heard) -> tuple[str, ...]:
    parts = [part for word in words for part in divided(word)]
    return tuple(dict.fromkeys(known.agents.find(part, heard) for part in parts))


def _manner(
    without: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    *,
    look: bool = False,
    k: int | None = None,
    hint: str = "",
) -> Manner:
    """Raises ``Unclear`` if an agent is both asked and left out, or a hint is too long."""
    if both := set(without) & set(only):
        raise Unclear(f"{', '.join(sorted(both))} cannot be left out and be the one that is asked")
    if len(hint) > MAX_HINT:
        raise Unclear(f"a hint has at most {MAX_HINT} characters, this one {len(hint)}: say it in fewer words")
    return Manner(how=How(without=without, only=only, look_again=look, k=k, hint=hint))


def _understood(phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> Manner:
    if "hint" in slots:
        return _hinted(phrase, slots["hint"], known)
    agents = agents_in(slots["agents"], known, heard) if "agents" in slots else ()
    k = count(slots["count"]) if "count" in slots else min(2 * known.k, 1000) if phrase.note == "more" else None
    without, only = ((), agents) if phrase.note == "only" else (agents, ())
    return _manner(without, only, look=phrase.note.startswith("look"), k=k)


def _hinted(phrase: Phrase, hint: str, known: Known) -> Manner:
    """Raises ``Unclear`` for text that may not be a hint, or is a request of its own."""
    look = phrase.note.startswith("look")
    line = f"/read-again {'look-again ' * look}hint: {hint}"
    if phrase.note.endswith("unless"):
        if says_something(hint, known):
            raise Unclear(f"“{hint}” says something by itself: say one thing at a time, or make it a hint", (line,))
        if not _STATEMENT.fullmatch(hint):
            raise Unclear(f"“{hint}” may be a hint or not: say it as one", (line,))
    return _manner(look=look, hint=hint)


def _offers(rest: str, standing: Standing) -> Offers:
    return last_word(rest, {**_WORDS, **dict.fromkeys(agents_of(standing), "agent")} if rest.strip() else _WORDS)


READ_AGAIN = Action(
    "read-again",
    Manner,
    read_again,
    help="Read the image again: without agents, by some only, with a second look, with K similar cases, or with a "
    "hint to those that read text.",
    saying="read it again without X; look again, it was sprayed with copper",
    usage="[without AGENT…] [only AGENT…] [look-again] [k=K] [hint: WORDS]",
    typed=_typed,
    understood=_understood,
    offers=_offers,
    without_slash=True,
    own_words=lambda wanted: wanted.how.hint,
    phrases=(
        Phrase(r"{AGAIN}"),
        Phrase(r"{LOOK}", "look"),
        Phrase(r"{AGAIN},? (?:with|using|among) {count} (?:similar )?{CASES}"),
        Phrase(r"{AGAIN},? (?:with|using) more (?:similar )?(?:{CASES}|evidence)", "more"),
        Phrase(r"{AGAIN},? (?:but )?(?:without|leaving out|ignoring) {agents}"),
        Phrase(r"{LOOK},? (?:but )?(?:without|leaving out|ignoring) {agents}", "look"),
        *phrases(
            r"{AGAIN},? (?:but )?(?:(?:with|using|by|asking) )?(?:only|just|by|with) (?:by |with )?{agents}",
            r"ask (?:only|just|nobody but) {agents}|(?:only|just) ask {agents_}",
            note="only",
        ),
    ),
    late_phrases=(  # hints; "unless": only if the text is a statement and no request of its own
        Phrase(r"{LOOK}(?:{KNOWING}|[,;:.]? ?(?:hint|note):) ?(?P<hint>.+)", "look"),
        Phrase(r"{AGAIN}(?:{KNOWING}|[,;:.]? ?(?:hint|note):) ?(?P<hint>.+)"),
        Phrase(r"{LOOK} ?[,;:.–—-]+ (?P<hint>.+)", "look unless"),
        Phrase(r"{AGAIN} ?[,;:.–—-]+ (?P<hint>.+)", "unless"),
        Phrase(r"(?P<hint>.+?) ?[,;:.–—-]+ (?:so |and |please |now )*{LOOK}", "look unless"),
    ),
)
