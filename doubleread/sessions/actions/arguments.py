"""Kinds of arguments shared by actions: labels, agents, images and counts."""

import re
from typing import Any

from doubleread.sessions.actions.action import Action, Heard, Kind, Offers
from doubleread.sessions.amounts import count
from doubleread.sessions.names import Known, Unclear, agents_of
from doubleread.sessions.standing import Standing

_BETWEEN = re.compile(r"\s*(?:,|;|&|\band\b|\bor\b|\bnor\b)\s*", re.I)


def begun(rest: str, names: dict[str, str]) -> Offers:
    """Returns the names that complete the text; none for a complete name."""
    typed = rest.casefold()
    return [(name, about) for name, about in names.items() if name.casefold().startswith(typed) and name != rest]


def last_word(rest: str, names: dict[str, str]) -> Offers:
    """Completes the last word with names not used before it."""
    before, blank, word = rest.rpartition(" ")
    used = set(before.split())
    return [(before + blank + name, about) for name, about in begun(word, names) if name not in used]


# -- labels -----------------------------------------------------------------------------------------------------------


def label_in(text: str, known: Known, heard: Heard) -> str:
    """Finds a label by name, correcting misspellings. Raises ``Unclear``."""
    return known.labels.find(text, heard)


def exact_label(text: str, known: Known, _heard: Heard | None = None) -> str:
    """Finds a label by its exact spelling. Statements of the truth are never guessed. Raises ``Unclear``."""
    found = known.labels.exact(text.strip())
    if found is not None:
        return found
    try:
        likely = known.labels.find(text, [])
    except Unclear as problem:
        raise Unclear(f"{problem.problem}; nothing was confirmed", _each("correct", known.labels.shown)) from None
    raise Unclear(
        f"there is no label “{text}”; nothing was confirmed. Do you mean {likely}?", (f"/correct {likely}",)
    ) from None


def label_offers(rest: str, standing: Standing) -> Offers:
    """Returns the labels that complete the text."""
    return begun(rest, {label.name: label.description or "label" for label in standing.panel.task.labels})


def _which_label(action: Action[Any], known: Known) -> str:
    named = [label for label in known.labels.shown.values() if action.decides or label != known.leading]
    raise Unclear(action.question or "which label?", _each(action.name, named))


def _each(action: str, names: Any) -> list[str]:
    return [f"/{action} {name}" for name in names]


# -- agents and images ------------------------------------------------------------------------------------------------


def agents_in(text: str, known: Known, heard: Heard) -> tuple[str, ...]:
    """Finds the agents in a list of names. Raises ``Unclear``."""
    whole = known.agents.exact(text)
    parts = [whole] if whole else divided(text)
    if not parts:
        raise Unclear("which agent?", known.agents.shown.values())
    return tuple(dict.fromkeys(known.agents.find(part, heard) for part in parts))


def divided(text: str) -> list[str]:
    """Splits a list of names."""
    return [part for part in _BETWEEN.split(text) if part]


def one_agent(text: str, known: Known, heard: Heard) -> tuple[str, ...]:
    """Finds one agent by name. Raises ``Unclear``."""
    return (known.agents.find(text, heard),)


def agent_offers(rest: str, standing: Standing) -> Offers:
    """Returns the agents that complete the text."""
    return begun(rest, dict.fromkeys(agents_of(standing), "agent"))


def _image_in(text: str, known: Known, heard: Heard) -> str:
    return known.images.find(text, heard)


def _image_offers(rest: str, standing: Standing) -> Offers:
    others = {seen.name: "image" for one, seen in standing.cases.items() if one != standing.current}
    return begun(rest, others)


def _only_other(action: Action[Any], known: Known) -> str:
    if len(known.others) == 1:
        return known.others[0]
    offers = _each(action.name, [known.images.shown[one] for one in known.others])
    raise Unclear("which image?" if offers else "there is no other image in this session", offers)


def _which_agent(_action: Action[Any], known: Known) -> tuple[str, ...]:
    return agents_in("", known, [])


def _count_in(text: str, _known: Known, _heard: Heard) -> int:
    return count(text)


LABEL = Kind("LABEL", label_in, {"label": label_in}, label_offers, _which_label)
"""A label; misspellings are corrected."""
TRUE_LABEL = Kind("LABEL", exact_label, {"label": exact_label}, label_offers, _which_label)
"""A label stated to be true, which must be spelt exactly."""
AGENTS = Kind("AGENT", agents_in, {"agents": agents_in, "agent": one_agent}, agent_offers, _which_agent)
"""One agent, or a list of them."""
IMAGE = Kind("IMAGE", _image_in, {"image": _image_in}, _image_offers, _only_other)
"""The case id of an image in the session."""
COUNT = Kind("N", _count_in, {"count": _count_in})
"""A number of cases."""
