"""Parses what a person types into intents: slash commands, and plain English for the same.

Misspelt names are corrected if only one matches, and the correction is reported; a label stated to be true is never
corrected.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from doubleread.sessions.actions.action import Action, Heard, Intent, NotUnderstood
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.names import Known, Unclear, fold
from doubleread.sessions.phrases import Phrase, pattern

LONGEST = 500
_POLITE = re.compile(
    r"^(?:(?:please|hey|hi|hello|ok|okay|so|and|well|now|but|then|could you|can you|would you|will you|let us|let's|"
    r"i want to|i'd like to|i would like to)\b[\s,]+)+(?=\S)|[\s,]+(?:please|thanks|thank you|then)$",
    re.I,
)
_YES_OR_NO = r"(?:yes|yeah|yep|ok|okay|right|correct|true|fine|sure|no|nope|wrong|false|incorrect)"
"""Too ambiguous: it does not say what is true."""
_DENIALS = (
    r"(?:no,? )?{IS} not {REALLY}{ART}(?P<label>.+?)(?:,? (?:is (?:it|this|that)|right))?",
    r"(?:no,? )?{IS} (?:wrong|false|incorrect)|you(?:'re| are) wrong",
)
"""These say what is not true; nothing can be concluded from them."""


def parse(text: str, known: Known) -> Intent | NotUnderstood:
    """Parses a message; never raises an exception, and never guesses a true label."""
    heard: Heard = []
    try:
        intent = _parse(text, known, heard)
    except Unclear as problem:
        suggestions = tuple(one for one in problem.suggestions if one.startswith("/"))
        return NotUnderstood(problem=problem.problem, suggestions=suggestions or ("/help",))
    return intent.model_copy(update={"heard": tuple(dict.fromkeys(heard))})


def says_something(words: str, known: Known) -> bool:
    """Whether the words are understood on their own."""
    every = actions()
    try:
        return any(_try(*way, _spelt(words), known, [], []) for way in (*every.ways, *every.decisions))
    except Unclear:
        return True


def _parse(text: str, known: Known, heard: Heard) -> Intent:
    said = " ".join(unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'").split())
    if len(said) > LONGEST:
        raise Unclear("that is too long to be understood: say one thing at a time")
    if said.startswith("/"):
        word, _, rest = said[1:].partition(" ")
        return _command(word, heard).parse(rest.strip(), known, heard)
    asked, said = said.endswith("?"), said.rstrip("?!. ,;:") or said
    if not said:
        raise Unclear("nothing was said")
    return _plain(said, known, heard, asked=asked)


def _command(word: str, heard: Heard) -> Action[Any]:
    """Returns the action of that name, or the only one with a similar name. Raises ``Unclear``."""
    every, name = actions(), word.casefold().replace("_", "-")
    if name in every:
        return every[name]
    near = difflib.get_close_matches(name, every, n=3, cutoff=0.7)
    if len(near) == 1 and not every[near[0]].decides:
        heard.append(f"/{word} is taken for /{near[0]}")
        return every[near[0]]
    raise Unclear(f"there is no command /{word}", [every[one].line for one in near] or ["/help"])


def _plain(said: str, known: Known, heard: Heard, *, asked: bool) -> Intent:
    spelt, every = _spelt(said), actions()
    if not asked:
        _deny(spelt, known)
    problems: list[Unclear] = []
    for action, phrase in (*every.ways, *(() if asked else (*every.decisions, *every.late_ways))):
        if (intent := _try(action, phrase, spelt, known, heard, problems)) is not None:
            return intent
    intent = _try_command(spelt, known, heard, problems) or _mended(spelt, known, heard)
    if intent is not None:
        return intent
    raise problems[0] if problems else _unknown(said, known, asked=asked)


def _spelt(said: str) -> str:
    """Removes polite phrases and expands "n't" to "not"."""
    polite = _POLITE.sub("", _POLITE.sub("", said)) or said
    spelt = re.sub(r"(?i)\bca(?=n't\b)", "can", polite)
    return re.sub(r"(?i)n't\b", " not", re.sub(r"(?i)^(it|that)s\b", r"\1's", spelt))


def _deny(said: str, known: Known) -> None:
    """Raises ``Unclear`` for answers that are too vague to confirm or correct anything."""
    offers = [f"/correct {label}" for label in known.labels.shown.values() if label != known.leading]
    confirm = (f"/confirm {known.leading}",) if known.leading else ()
    if re.fullmatch(_YES_OR_NO, said, re.I):
        raise Unclear(f"“{said}” does not say what is true, and nothing was confirmed", (*confirm, *offers))
    for denial in _DENIALS:
        found = pattern(denial).fullmatch(said)
        if found is not None:
            denied = found.groupdict().get("label")
            not_it = f"if it is not {denied}, say what it is" if denied else "say what it is instead"
            raise Unclear(f"{not_it}; nothing was confirmed", offers)


def _try(
    action: Action[Any], phrase: Phrase, said: str, known: Known, heard: Heard, problems: list[Unclear]
) -> Intent | None:
    """Makes an intent if the phrase fits and its names are known; else adds the reason to ``problems``."""
    found = pattern(phrase.says).fullmatch(said)
    if found is None:
        return None
    slots = {name.rstrip("_"): value for name, value in found.groupdict().items() if value is not None}
    if "agreed" in slots:  # a person's yes must not be read as anything else
        return action.understand(phrase, slots, known, heard)
    intent = _unless_unclear(lambda mended: action.understand(phrase, slots, known, mended), heard, problems)
    lets_decide = action.decides or intent is None or not actions()[intent.command].decides
    return intent if lets_decide else None


def _try_command(said: str, known: Known, heard: Heard, problems: list[Unclear]) -> Intent | None:
    """Parses a command without its slash."""
    word, _, rest = said.partition(" ")
    action = actions().get(word.casefold())
    if action is None or not action.without_slash:
        return None
    return _unless_unclear(lambda mended: action.parse(rest.strip(), known, mended), heard, problems)


def _unless_unclear(read: Callable[[Heard], Intent], heard: Heard, problems: list[Unclear]) -> Intent | None:
    mended: Heard = []
    try:
        intent = read(mended)
    except Unclear as problem:
        problems.append(problem)
        return None
    heard.extend(mended)
    return intent


def _mended(said: str, known: Known, heard: Heard) -> Intent | None:
    """Retries with ordinary words spell-corrected, never for actions that decide."""
    every = actions()
    names = {
        part for some in (known.labels, known.agents, known.images) for one in some.spellings for part in one.split()
    }
    words = [word if fold(word) in names else _ordinary(word, every.vocabulary) for word in said.split()]
    mended = " ".join(words)
    if mended == said:
        return None
    for action, phrase in every.ways:
        intent = _try(action, phrase, mended, known, heard, [])
        if intent is not None and not every[intent.command].decides:
            heard.append(f"“{said}” is read as “{mended}”")
            return intent
    return None


def _ordinary(word: str, vocabulary: frozenset[str]) -> str:
    if len(word) < 4 or word.casefold() in vocabulary:
        return word
    near = difflib.get_close_matches(word.casefold(), vocabulary, n=1, cutoff=0.75)
    return near[0] if near else word


def _unknown(said: str, known: Known, *, asked: bool) -> Unclear:
    every, label = actions(), known.labels.exact(said)
    if label is not None:
        return Unclear(f"what of {label}? Ask about it, or say that it is true", _ways([label]))
    if asked and any(pattern(phrase.says).fullmatch(said) for _, phrase in every.decisions):
        return Unclear("a question confirms nothing; say it without the question mark if it is so")
    mentioned = [name for name in known.labels.shown.values() if f" {fold(name)} " in f" {fold(said)} "]
    return Unclear(f"“{said}” is not understood", _ways(mentioned) or [one.line for one in [*every.values()][:6]])


def _ways(labels: list[str]) -> list[str]:
    return [f"/{command} {label}" for label in labels for command in ("why-not", "similar", "correct")]
