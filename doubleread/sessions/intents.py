"""From what a person types to what they want: commands with a slash, and plain English for the same.

Names with a slip are mended where only one is meant, and that is said; what the panel is told to be true never is.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache

from doubleread.sessions.amounts import amount, count, factor, share
from doubleread.sessions.commands import BY_NAME, COMMANDS, CommandName, agents_of
from doubleread.sessions.intent import Intent, NotUnderstood, Price
from doubleread.sessions.names import Known, Names, Unclear, fold, image_names
from doubleread.sessions.phrases import (
    DECISIONS,
    DENIALS,
    HINTS,
    PHRASES,
    STATEMENT,
    YES_OR_NO,
    Phrase,
    pattern,
)
from doubleread.sessions.slash import NEVER_GUESSED, agents_in, command_of, exact_label, how_of, parse_slash
from doubleread.sessions.standing import Standing

LONGEST = 500
_POLITE = re.compile(
    r"^(?:(?:please|hey|hi|hello|ok|okay|so|and|well|now|but|then|could you|can you|would you|will you|let us|let's|"
    r"i want to|i'd like to|i would like to)\b[\s,]+)+(?=\S)|[\s,]+(?:please|thanks|thank you|then)$",
    re.I,
)
_PANEL = ("you", "it", "this", "that", "panel", "the panel", "the verdict", "verdict", "the result", "this verdict")
_PLAIN: tuple[CommandName, ...] = ("similar", "who", "where", "read-again", "without", "costs", "prevalence", "help")
"""Commands that may be typed without the slash, with their arguments as behind it."""


def known_of(standing: Standing) -> Known:
    """The names that can occur in what is said now."""
    task, current = standing.panel.task, standing.cases.get(standing.current or "")
    labels = {name: name for name in task.names}
    phrases = [(phrase, label.name) for label in task.labels for phrase in label.phrases]
    last = current.verdicts[-1] if current and current.verdicts else None
    return Known(
        labels=Names.of("label", labels, phrases),
        agents=Names.of("agent", {name: name for name in agents_of(standing)}),
        images=image_names({one: seen.name for one, seen in standing.cases.items()}, standing.current),
        leading=last.label if last else None,
        others=tuple(one for one in standing.cases if one != standing.current),
        k=standing.panel.settings.retrieval.k,
    )


def parse(text: str, known: Known) -> Intent | NotUnderstood:
    """What a person wants; never an exception, and never a guess at what is true."""
    heard: list[str] = []
    try:
        intent = _parse(text, known, heard)
    except Unclear as problem:
        return NotUnderstood(problem=problem.problem, suggestions=_typed(problem.suggestions))
    return intent.model_copy(update={"heard": tuple(dict.fromkeys(heard))})


def _typed(suggestions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in suggestions if one.startswith("/")) or ("/help",)


def _parse(text: str, known: Known, heard: list[str]) -> Intent:
    said = _tidy(text)
    if len(said) > LONGEST:
        raise Unclear("that is too long to be understood: say one thing at a time")
    if said.startswith("/"):
        word, _, rest = said[1:].partition(" ")
        return parse_slash(command_of(word, heard), rest, known, heard)
    asked, said = said.endswith("?"), said.rstrip("?!. ,;:") or said
    if not said:
        raise Unclear("nothing was said")
    return _plain(said, known, heard, asked=asked)


def _tidy(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
    return " ".join(plain.split())


def _plain(said: str, known: Known, heard: list[str], *, asked: bool) -> Intent:
    spelt = _spelt(said)
    if not asked:
        _deny(spelt, known)
    problems: list[Unclear] = []
    for phrase in (*PHRASES, *(() if asked else (*DECISIONS, *HINTS))):
        intent = _try(phrase, spelt, known, heard, problems)
        if intent is not None:
            return intent
    intent = _try_command(spelt, known, heard, problems) or _mended(spelt, known, heard)
    if intent is not None:
        return intent
    raise problems[0] if problems else _unknown(said, known, asked=asked)


def _spelt(said: str) -> str:
    """Without what is only polite, and with "not" in full."""
    polite = _POLITE.sub("", _POLITE.sub("", said)) or said
    spelt = re.sub(r"(?i)\bca(?=n't\b)", "can", polite)
    return re.sub(r"(?i)n't\b", " not", re.sub(r"(?i)^(it|that)s\b", r"\1's", spelt))


def _deny(said: str, known: Known) -> None:
    """Raises ``Unclear`` for what says too little to confirm or correct anything."""
    offers = [f"/correct {label}" for label in known.labels.shown.values() if label != known.leading]
    confirm = (f"/confirm {known.leading}",) if known.leading else ()
    if re.fullmatch(YES_OR_NO, said, re.I):
        raise Unclear(f"“{said}” does not say what is true, and nothing was confirmed", (*confirm, *offers))
    for denial in DENIALS:
        found = pattern(denial).fullmatch(said)
        if found is not None:
            denied = found.groupdict().get("label")
            not_it = f"if it is not {denied}, say what it is" if denied else "say what it is instead"
            raise Unclear(f"{not_it}; nothing was confirmed", offers)


def _try(phrase: Phrase, said: str, known: Known, heard: list[str], problems: list[Unclear]) -> Intent | None:
    """What a phrase asks for where it fits and its names are known; else what stood in the way is kept."""
    found = pattern(phrase.says).fullmatch(said)
    if found is None:
        return None
    slots = {name.rstrip("_"): value for name, value in found.groupdict().items() if value is not None}
    mended: list[str] = []
    try:
        intent = _READERS.get(phrase.command, _bare)(phrase, slots, known, mended)
    except Unclear as problem:
        if "agreed" in slots:
            raise
        problems.append(problem)
        return None
    heard.extend(mended)
    return intent


def _try_command(said: str, known: Known, heard: list[str], problems: list[Unclear]) -> Intent | None:
    """A command without its slash."""
    word, _, rest = said.partition(" ")
    command = BY_NAME.get(word.casefold())
    if command is None or command.name not in _PLAIN:
        return None
    mended: list[str] = []
    try:
        intent = parse_slash(command, rest, known, mended)
    except Unclear as problem:
        problems.append(problem)
        return None
    heard.extend(mended)
    return intent


def _mended(said: str, known: Known, heard: list[str]) -> Intent | None:
    """The same with slips in ordinary words mended, never for what changes what the panel knows."""
    names = {
        part for some in (known.labels, known.agents, known.images) for one in some.spellings for part in one.split()
    }
    words = [word if fold(word) in names else _ordinary(word) for word in said.split()]
    mended = " ".join(words)
    if mended == said:
        return None
    for phrase in PHRASES:
        intent = _try(phrase, mended, known, heard, [])
        if intent is not None and intent.command not in NEVER_GUESSED:
            heard.append(f"“{said}” is read as “{mended}”")
            return intent
    return None


def _ordinary(word: str) -> str:
    if len(word) < 4 or word.casefold() in _vocabulary():
        return word
    near = difflib.get_close_matches(word.casefold(), _vocabulary(), n=1, cutoff=0.75)
    return near[0] if near else word


@cache
def _vocabulary() -> frozenset[str]:
    """Words of four letters and more that occur in the phrases."""
    bare = (re.sub(r"\(\?P<\w+>|\{\w+\}|\\\w", " ", pattern(phrase.says).pattern) for phrase in PHRASES)
    return frozenset(word for says in bare for word in re.findall(r"[a-z]{4,}", says))


def _unknown(said: str, known: Known, *, asked: bool) -> Unclear:
    label = known.labels.exact(said)
    if label is not None:
        return Unclear(f"what of {label}? Ask about it, or say that it is true", _ways([label]))
    if asked and any(pattern(phrase.says).fullmatch(said) for phrase in DECISIONS):
        return Unclear("a question confirms nothing; say it without the question mark if it is so")
    mentioned = [name for name in known.labels.shown.values() if f" {fold(name)} " in f" {fold(said)} "]
    return Unclear(f"“{said}” is not understood", _ways(mentioned) or [command.line for command in COMMANDS[:6]])


def _ways(labels: list[str]) -> list[str]:
    """What one may say of labels."""
    return [f"/{command} {label}" for label in labels for command in ("why-not", "similar", "correct")]


# -- what phrases ask for --------------------------------------------------------------------------------------------

Slots = Mapping[str, str]


def _bare(phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    del slots, known, heard
    return Intent(command=phrase.command)


def _why(phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    """Why a label that does not lead is why not that label."""
    if phrase.note == "nothing":
        return parse_slash(BY_NAME["why-not"], "", known, heard)
    if "label" not in slots:
        return Intent(command="why")
    label = known.labels.find(slots["label"], heard)
    leads = label == known.leading and phrase.command == "why"
    return Intent(command="why" if leads else "why-not", label=label)


def _similar(_phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    label = known.labels.find(slots["label"], heard) if "label" in slots else None
    return Intent(command="similar", label=label, count=count(slots["count"]) if "count" in slots else None)


def _who(_phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    if "label" in slots:
        return Intent(command="who", label=known.labels.find(slots["label"], heard))
    if "agent" not in slots:
        return Intent(command="who")
    if slots["agent"].casefold() in _PANEL:
        return Intent(command="who", agents=("panel",))
    return Intent(command="who", agents=(known.agents.find(slots["agent"], heard),))


def _where(_phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    label = known.labels.find(slots["label"], heard) if "label" in slots else None
    agents = (known.agents.find(slots["agent"], heard),) if "agent" in slots else ()
    return Intent(command="where", agents=agents, label=label)


def _read_again(phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    if "hint" in slots:
        return _hinted(phrase, slots["hint"], known)
    agents = agents_in(slots["agents"], known, heard) if "agents" in slots else ()
    k = count(slots["count"]) if "count" in slots else min(2 * known.k, 1000) if phrase.note == "more" else None
    without = () if phrase.note == "only" else agents
    only = agents if phrase.note == "only" else ()
    return Intent(command="read-again", how=how_of(without, only, look=phrase.note.startswith("look"), k=k))


def _hinted(phrase: Phrase, hint: str, known: Known) -> Intent:
    """Raises ``Unclear`` for words that may be no hint, or that say something by themselves."""
    look = phrase.note.startswith("look")
    line = f"/read-again {'look-again ' * look}hint: {hint}"
    if phrase.note.endswith("unless"):
        if _says_something(hint, known):
            raise Unclear(f"“{hint}” says something by itself: say one thing at a time, or make it a hint", (line,))
        if not STATEMENT.fullmatch(hint):
            raise Unclear(f"“{hint}” may be a hint or not: say it as one", (line,))
    return Intent(command="read-again", how=how_of(look=look, hint=hint))


def _says_something(words: str, known: Known) -> bool:
    """Whether words are understood by themselves."""
    try:
        return any(_try(phrase, _spelt(words), known, [], []) for phrase in (*PHRASES, *DECISIONS))
    except Unclear:
        return True


def _without(_phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    return Intent(command="without", agents=agents_in(slots["agents"], known, heard))


def _costs(phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    value = amount(slots["amount"])
    if phrase.note == "referral":
        return Intent(command="costs", prices=(Price(of="referral", amount=value),))
    if phrase.note == "error":
        return Intent(command="costs", prices=(Price(of="error", amount=value),))
    if phrase.note == "missed":
        label = known.labels.find(slots["label"], heard)
        return Intent(command="costs", prices=(Price(of="missed", label=label, amount=value),))
    true, said = _two(slots["pair"], known) if "pair" in slots else (slots["true"], slots["other"])
    label, said = known.labels.find(true, heard), known.labels.find(said, heard)
    return Intent(command="costs", prices=(Price(of="mistaken", label=label, said=said, amount=value),))


def _two(text: str, known: Known) -> tuple[str, str]:
    """Two labels one after the other. Raises ``Unclear`` where they can be parted in no way, or in more than one."""
    words = text.split()
    parted = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    sure = [pair for pair in parted if all(known.labels.exact(one) for one in pair)]
    if len(sure) == 1:
        return sure[0]
    raise Unclear(f"“{text}” is no pair of labels", ("/costs X>Y=5",))


def _prevalence(phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    label = known.labels.find(slots["label"], heard)
    if "share" in slots:
        return Intent(command="prevalence", shares={label: share(slots["share"])})
    times = factor(slots["factor"])
    return Intent(command="prevalence", factors={label: 1 / times if phrase.note == "rarer" else times})


def _image(phrase: Phrase, slots: Slots, known: Known, heard: list[str]) -> Intent:
    return parse_slash(BY_NAME[phrase.command], slots.get("image", ""), known, heard)


def _confirm(phrase: Phrase, slots: Slots, known: Known, _heard: list[str]) -> Intent:
    if "label" not in slots:
        if known.labels.exact(slots.get("agreed", "")):
            raise Unclear(f"“{slots['agreed']}” is a label too; nothing was confirmed", ("/confirm",))
        return Intent(command="confirm", label=known.leading)
    label = exact_label(slots["label"], known)
    if phrase.note == "yes" and label != known.leading:
        raise Unclear(
            f"the likeliest label is {known.leading}, not {label}; nothing was confirmed", (f"/correct {label}",)
        )
    return Intent(command="confirm", label=label)


def _correct(phrase: Phrase, slots: Slots, known: Known, _heard: list[str]) -> Intent:
    label = exact_label(slots["label"], known)
    if phrase.note == "no" and label == known.leading:
        raise Unclear(f"what was found is {label}; nothing was confirmed", (f"/confirm {label}",))
    return Intent(command="confirm" if label == known.leading else "correct", label=label)


_READERS: dict[CommandName, Callable[[Phrase, Slots, Known, list[str]], Intent]] = {
    "why": _why,
    "why-not": _why,
    "similar": _similar,
    "who": _who,
    "where": _where,
    "read-again": _read_again,
    "without": _without,
    "costs": _costs,
    "prevalence": _prevalence,
    "compare": _image,
    "switch": _image,
    "confirm": _confirm,
    "correct": _correct,
}
