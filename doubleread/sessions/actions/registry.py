"""Which action follows from which command."""

from collections.abc import Awaitable, Callable

from doubleread.sessions.actions.compare import compare
from doubleread.sessions.actions.decide import decide, undo
from doubleread.sessions.actions.help import help_
from doubleread.sessions.actions.image_list import images, switch
from doubleread.sessions.actions.read_again import read_again
from doubleread.sessions.actions.similar import similar
from doubleread.sessions.actions.what_if import costs, prevalence
from doubleread.sessions.actions.what_would_change import what_would_change
from doubleread.sessions.actions.where import where
from doubleread.sessions.actions.who import who
from doubleread.sessions.actions.why import why
from doubleread.sessions.actions.why_not import why_not
from doubleread.sessions.actions.without import without
from doubleread.sessions.commands import CommandName
from doubleread.sessions.intent import Intent
from doubleread.sessions.standing import Answered, Standing

Act = Callable[[Intent, Standing], Awaitable[Answered]]
"""Makes a reply, orders, or both of what a person wants; raises ``Unclear`` where it cannot be done."""

ACTIONS: dict[CommandName, Act] = {
    "why": why,
    "why-not": why_not,
    "similar": similar,
    "who": who,
    "where": where,
    "what-would-change": what_would_change,
    "read-again": read_again,
    "without": without,
    "costs": costs,
    "prevalence": prevalence,
    "confirm": decide,
    "correct": decide,
    "undo": undo,
    "compare": compare,
    "images": images,
    "switch": switch,
    "help": help_,
}
