"""The registry of a session's actions, and tables derived from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any

from doubleread.core.registry import Registry
from doubleread.sessions.actions.action import Action
from doubleread.sessions.phrases import Phrase, words_of

_ROWS = {
    "why": "doubleread.sessions.actions.why:WHY",
    "why-not": "doubleread.sessions.actions.why_not:WHY_NOT",
    "similar": "doubleread.sessions.actions.similar:SIMILAR",
    "who": "doubleread.sessions.actions.who:WHO",
    "where": "doubleread.sessions.actions.where:WHERE",
    "what-would-change": "doubleread.sessions.actions.what_would_change:WHAT_WOULD_CHANGE",
    "read-again": "doubleread.sessions.actions.read_again:READ_AGAIN",
    "without": "doubleread.sessions.actions.without:WITHOUT",
    "costs": "doubleread.sessions.actions.what_if_costs:COSTS",
    "prevalence": "doubleread.sessions.actions.what_if_prevalence:PREVALENCE",
    "confirm": "doubleread.sessions.actions.decide:CONFIRM",
    "correct": "doubleread.sessions.actions.decide:CORRECT",
    "undo": "doubleread.sessions.actions.decide:UNDO",
    "compare": "doubleread.sessions.actions.compare:COMPARE",
    "together": "doubleread.sessions.actions.together:TOGETHER",
    "images": "doubleread.sessions.actions.image_list:IMAGES",
    "switch": "doubleread.sessions.actions.image_list:SWITCH",
    "glossary": "doubleread.sessions.actions.words:GLOSSARY",
    "help": "doubleread.sessions.actions.help:HELP",
}
"""In the order of the help, in which phrases are also tried. Other packages add theirs as ``doubleread.actions``."""
Ways = tuple[tuple[Action[Any], Phrase], ...]


class Actions(dict[str, Action[Any]]):
    """Actions by name, in registry order."""

    @cached_property
    def ways(self) -> Ways:
        """Phrases of actions that do not decide; these may be questions."""
        return tuple((one, phrase) for one in self.values() if not one.decides for phrase in one.phrases)

    @cached_property
    def decisions(self) -> Ways:
        """Phrases of actions that decide."""
        return tuple((one, phrase) for one in self.values() if one.decides for phrase in one.phrases)

    @cached_property
    def late_ways(self) -> Ways:
        """Phrases tried after all others."""
        return tuple((one, phrase) for one in self.values() for phrase in one.late_phrases)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The ordinary words of ``ways`` with four letters or more."""
        return frozenset(word for _, phrase in self.ways for word in words_of(phrase))

    @cached_property
    def for_models(self) -> tuple[Action[Any], ...]:
        """The actions offered to a language model as tools."""
        return tuple(one for one in self.values() if one.for_models and not one.decides)


_added: dict[str, str] = {}


def actions() -> Actions:
    """Returns all actions, which are imported on first use."""
    return _imported((*_ROWS.items(), *_added.items()))


@contextmanager
def another_action(name: str, where: str) -> Iterator[None]:
    """Registers an action (``module:attribute``) while the block lasts, to try it before it is installed."""
    _added[name] = where
    try:
        yield
    finally:
        del _added[name]


@lru_cache(maxsize=2)
def _imported(rows: tuple[tuple[str, str], ...]) -> Actions:
    registry = Registry("chat action", "doubleread.actions", dict(rows))
    return Actions({name: registry.get(name) for name in dict.fromkeys((*dict(rows), *registry.names()))})
