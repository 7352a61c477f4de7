"""Explains the words of the glossary."""

from typing import Annotated

from doubleread.core.base import Record
from doubleread.core.glossary import TERMS, find
from doubleread.sessions.actions._facts import said
from doubleread.sessions.actions.action import Action, Heard, Kind, Offers
from doubleread.sessions.names import Known, Unclear
from doubleread.sessions.phrases import phrases
from doubleread.sessions.standing import Response, Standing


def _word(text: str, _known: Known, _heard: Heard) -> str:
    term = find(text)
    if term is None:
        raise Unclear(f"“{text}” is not in the glossary", ("/glossary",))
    return term.name


def _offers(rest: str, _standing: Standing) -> Offers:
    typed = rest.casefold()
    return [
        (t.name, t.meaning.partition(". ")[0]) for t in TERMS if t.name.casefold().startswith(typed) and t.name != rest
    ]


WORD = Kind("WORD", read=_word, slots={"word": _word}, offers=_offers)


class AskedWord(Record):
    """The word to explain; None for all."""

    word: Annotated[str | None, WORD] = None


async def words(asked: AskedWord, _standing: Standing) -> Response:
    """Returns the meaning of a word, or the whole glossary."""
    if asked.word is None:
        return said(f"{term.name}: {term.meaning}" for term in TERMS)
    found = find(asked.word)
    return said((f"{found.name}: {found.meaning}",) if found else (), suggestions=("/glossary",))


_KNOWN = "|".join(form for term in TERMS for form in (term.name, *term.spellings))
GLOSSARY = Action(
    "glossary",
    AskedWord,
    words,
    help="The meaning of a word, such as “calibrated”, or of all of them.",
    saying="what does calibrated mean?",
    for_models=False,
    without_slash=True,
    phrases=phrases(
        rf"what (?:does|do) (?:the word )?[“\"']?(?:an? |the )?(?P<word>{_KNOWN})[”\"']? mean",
        rf"what (?:is|are) (?:meant by )?(?:an? |the )?(?P<word>{_KNOWN})",
        rf"(?:explain|define) (?:an? |the )?(?P<word>{_KNOWN})",
        r"(?:the )?(?:glossary|words)|what do (?:the|these) words mean",
    ),
)
