"""Commands with their arguments, such as ``/read-again without texture k=20``."""

import difflib
import re
from collections.abc import Callable, Iterator

from doubleread.sessions.amounts import amount, count, factor, share
from doubleread.sessions.commands import BY_NAME, Command, CommandName
from doubleread.sessions.intent import Intent, Price
from doubleread.sessions.names import Known, Unclear, fold
from doubleread.sessions.record import MAX_HINT, How

NEVER_GUESSED = ("confirm", "correct", "undo")
"""Commands that change what the panel knows."""
_VALUES = re.compile(r"\s*(?P<name>[^=]+?)\s*=\s*(?P<value>[^\s=;]+?(?:\s*%)?)(?:[,;]?\s+|;|$)")
_HINT = re.compile(r"(?:^|\s)hint:\s*(?P<hint>.*)$", re.I)
_BETWEEN = re.compile(r"\s*(?:,|;|&|\band\b|\bor\b|\bnor\b)\s*", re.I)
Rest = str
"""What stands behind a command's name."""


def command_of(word: str, heard: list[str]) -> Command:
    """The command of that name, or of the only one nearly so called. Raises ``Unclear``."""
    name = word.casefold().replace("_", "-")
    if name in BY_NAME:
        return BY_NAME[name]
    near = difflib.get_close_matches(name, BY_NAME, n=3, cutoff=0.7)
    if len(near) == 1 and near[0] not in NEVER_GUESSED:
        heard.append(f"/{word} is taken for /{near[0]}")
        return BY_NAME[near[0]]
    offers = [BY_NAME[one].line for one in near] or ["/help"]
    raise Unclear(f"there is no command /{word}", offers)


def parse_slash(command: Command, rest: Rest, known: Known, heard: list[str]) -> Intent:
    """What a command with what stands behind it asks for. Raises ``Unclear``."""
    intent = _READERS[command.name](rest.strip(), known, heard)
    return intent.model_copy(update={"command": command.name})


def agents_in(text: str, known: Known, heard: list[str]) -> tuple[str, ...]:
    """The agents of an enumeration. Raises ``Unclear``."""
    whole = known.agents.exact(text)
    parts = [whole] if whole else [part for part in _BETWEEN.split(text) if part]
    if not parts:
        raise Unclear("which agent?", known.agents.shown.values())
    return tuple(dict.fromkeys(known.agents.find(part, heard) for part in parts))


def exact_label(text: str, known: Known) -> str:
    """The label that is spelt so; nothing is guessed where the panel is told what is true. Raises ``Unclear``."""
    found = known.labels.exact(text.strip())
    if found is not None:
        return found
    near: list[str] = []
    try:
        likely = known.labels.find(text, near)
    except Unclear as problem:
        offers = [f"/correct {label}" for label in known.labels.shown.values()]
        raise Unclear(f"{problem.problem}; nothing was confirmed", offers) from None
    raise Unclear(
        f"there is no label “{text}”; nothing was confirmed. Do you mean {likely}?", (f"/correct {likely}",)
    ) from None


def _nothing(name: CommandName) -> Callable[[Rest, Known, list[str]], Intent]:
    def read(rest: Rest, _known: Known, _heard: list[str]) -> Intent:
        if rest:
            raise Unclear(f"/{name} takes nothing, and “{rest}” is not understood", (BY_NAME[name].line,))
        return Intent(command=name)

    return read


def _why_not(rest: Rest, known: Known, heard: list[str]) -> Intent:
    if not rest:
        offers = [f"/why-not {label}" for label in known.labels.shown.values() if label != known.leading]
        raise Unclear("why not what? Name a label", offers)
    return Intent(command="why-not", label=known.labels.find(rest, heard))


def _similar(rest: Rest, known: Known, heard: list[str]) -> Intent:
    if not rest or known.labels.exact(rest):
        return Intent(command="similar", label=known.labels.exact(rest))
    label, _, number = rest.rpartition(" ")
    if not number.isdecimal():
        return Intent(command="similar", label=known.labels.find(rest, heard))
    found = known.labels.find(label, heard) if label else None
    return Intent(command="similar", label=found, count=count(number))


def _who(rest: Rest, known: Known, heard: list[str]) -> Intent:
    if fold(rest) in ("panel", "the panel"):
        return Intent(command="who", agents=("panel",))
    return Intent(command="who", agents=agents_in(rest, known, heard) if rest else ())


def _where(rest: Rest, known: Known, heard: list[str]) -> Intent:
    """An agent, a label, or an agent and then a label."""
    if not rest:
        return Intent(command="where")
    label, agent = known.labels.exact(rest), known.agents.exact(rest)
    if label or agent:
        return Intent(command="where", label=label, agents=(agent,) if agent and not label else ())
    first, _, others = rest.partition(" ")
    agent = known.agents.exact(first) if others else None
    if agent:
        return Intent(command="where", agents=(agent,), label=known.labels.find(others, heard))
    try:
        return Intent(command="where", label=known.labels.find(rest, heard))
    except Unclear:
        return Intent(command="where", agents=(known.agents.find(rest, heard),))


def _without(rest: Rest, known: Known, heard: list[str]) -> Intent:
    return Intent(command="without", agents=agents_in(rest, known, heard))


def _read_again(rest: Rest, known: Known, heard: list[str]) -> Intent:
    """Words up to the next keyword belong to the one before; a hint goes on to the end."""
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
            raise Unclear(f"“{word}” is not understood in /read-again", (BY_NAME["read-again"].line,))
    if "without" in rest.casefold().split() and not said["without"]:
        raise Unclear("without whom?", [f"/read-again without {name}" for name in known.agents.shown.values()])
    agents = {key: _many(words, known, heard) for key, words in said.items()}
    return Intent(command="read-again", how=how_of(agents["without"], agents["only"], look=look, k=k, hint=hint))


def how_of(
    without: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    *,
    look: bool = False,
    k: int | None = None,
    hint: str = "",
) -> How:
    """How to read. Raises ``Unclear`` where an agent is both asked and left out, or a hint is too long."""
    if both := set(without) & set(only):
        raise Unclear(f"{', '.join(sorted(both))} cannot be left out and be the one that is asked")
    if len(hint) > MAX_HINT:
        raise Unclear(f"a hint has at most {MAX_HINT} characters, this one {len(hint)}: say it in fewer words")
    return How(without=without, only=only, look_again=look, k=k, hint=hint)


def _many(words: list[str], known: Known, heard: list[str]) -> tuple[str, ...]:
    """Agents that follow one another, with or without commas."""
    parts = [part for word in words for part in _BETWEEN.split(word) if part]
    return tuple(dict.fromkeys(known.agents.find(part, heard) for part in parts))


def _pairs(rest: Rest, usage: str) -> Iterator[tuple[str, str]]:
    """NAME=NUMBER, again and again."""
    at = 0
    while at < len(rest) and (found := _VALUES.match(rest, at)):
        yield found["name"], found["value"]
        at = found.end()
    if at < len(rest) or not rest:
        raise Unclear(f"“{rest[at:]}” is not understood: write NAME=NUMBER" if rest else "of what?", (usage,))


def _costs(rest: Rest, known: Known, heard: list[str]) -> Intent:
    pairs = _pairs(rest, BY_NAME["costs"].line)
    return Intent(command="costs", prices=tuple(_price(name, amount(value), known, heard) for name, value in pairs))


def _price(name: str, value: float, known: Known, heard: list[str]) -> Price:
    if fold(name) in ("referral", "referrals"):
        return Price(of="referral", amount=value)
    if fold(name) in ("error", "errors"):
        return Price(of="error", amount=value)
    true, arrow, said = name.partition(">")
    if arrow and known.labels.exact(name) is None:
        label, other = known.labels.find(true.strip(), heard), known.labels.find(said.strip(), heard)
        return Price(of="mistaken", label=label, said=other, amount=value)
    return Price(of="missed", label=known.labels.find(re.sub(r"^missed\s+", "", name), heard), amount=value)


def _prevalence(rest: Rest, known: Known, heard: list[str]) -> Intent:
    shares, factors = dict[str, float](), dict[str, float]()
    for name, value in _pairs(rest, BY_NAME["prevalence"].line):
        label = known.labels.find(name, heard)
        if re.fullmatch(r"[x×].+|.+[x×]", value, re.I):
            factors[label] = factor(value)
        else:
            shares[label] = share(value)
    return Intent(command="prevalence", shares=shares, factors=factors)


def _confirm(rest: Rest, known: Known, _heard: list[str]) -> Intent:
    if rest:
        return Intent(command="confirm", label=exact_label(rest, known))
    return Intent(command="confirm", label=known.leading)


def _correct(rest: Rest, known: Known, _heard: list[str]) -> Intent:
    if not rest:
        raise Unclear("what is it? Name the label", [f"/correct {one}" for one in known.labels.shown.values()])
    return Intent(command="correct", label=exact_label(rest, known))


def _image(name: CommandName) -> Callable[[Rest, Known, list[str]], Intent]:
    def read(rest: Rest, known: Known, heard: list[str]) -> Intent:
        if rest:
            return Intent(command=name, image=known.images.find(rest, heard))
        if len(known.others) == 1:
            return Intent(command=name, image=known.others[0])
        offers = [f"/{name} {known.images.shown[one]}" for one in known.others]
        raise Unclear("which image?" if offers else "there is no other image in this session", offers)

    return read


_READERS: dict[CommandName, Callable[[Rest, Known, list[str]], Intent]] = {
    "why": _nothing("why"),
    "why-not": _why_not,
    "similar": _similar,
    "who": _who,
    "where": _where,
    "what-would-change": _nothing("what-would-change"),
    "read-again": _read_again,
    "without": _without,
    "costs": _costs,
    "prevalence": _prevalence,
    "confirm": _confirm,
    "correct": _correct,
    "undo": _nothing("undo"),
    "compare": _image("compare"),
    "images": _nothing("images"),
    "switch": _image("switch"),
    "help": _nothing("help"),
}
