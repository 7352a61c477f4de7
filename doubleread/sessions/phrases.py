"""Plain-English phrases for actions: each is a pattern that must match the whole input.

``{label}`` in a phrase is a slot, see ``SLOTS``; ``(?P<name>…)`` defines a slot of its own.
"""

import re
from functools import cache
from typing import NamedTuple

SLOTS = {
    "label": r"(?P<label>.+?)",
    "true": r"(?P<true>.+?)",
    "other": r"(?P<other>.+?)",
    "pair": r"(?P<pair>.+?)",
    "agents": r"(?:the )?(?P<agents>.+?)",
    "agent": r"(?P<agent>.+?)",
    "image": r"(?P<image>.+?)",
    "count": r"(?P<count>\d+|two|three|four|five|six|seven|eight|nine|ten)",
    "amount": r"(?P<amount>\S+)",
    "share": r"(?P<share>[\d.,]+ ?(?:%|per ?cent)?|(?:\d+|one) (?:in|of|out of) \w+)",
    "factor": r"(?P<factor>twice|double|half|thrice|\S+ times)",
    "IT": r"(?:it|this|that|this one|(?:the|this) (?:image|picture|photo|case|verdict|diagnosis|decision|answer))",
    "IS": r"(?:it|this|that|(?:the|this) (?:image|picture|photo|case))(?:'s| is| was)",
    "ART": r"(?:a |an |the )?",
    "CASES": r"(?:cases?|images?|pictures?|photos?|ones?|examples?|neighbou?rs)",
    "SHOW": r"(?:show|find|give|list|get|fetch)(?: me| us)?(?: the| some| all)?",
    "WHATIF": r"(?:what if|what would happen if|suppose|assume|and if|if)",
    "COSTS": r"(?: only)?(?: would)? (?:costs?|was|were|is|are)(?: only| worth)?",
    "BE": r"(?:was|were|is|are|made up|had been)(?: only)?",
    "AGAIN": r"(?:(?:read|try|diagnose|judge|check)(?: {IT})?(?: again| anew| once more| a second time)"
    r"|re-?read(?: {IT})?|again|once more)",
    "LOOK": r"(?:look(?: closer| harder| at {IT})* again|look (?:closer|harder)(?: at {IT})?"
    r"|(?:take|have) (?:a second|another|a closer) look(?: at {IT})?"
    r"|{AGAIN} (?:with (?:the )?crops|looking (?:closer|twice)))",
    "KNOWING": r"[,;:.]? (?:with (?:the )?hint(?: that)?"
    r"|(?:knowing|considering|given|bearing in mind|(?:and )?note) that)",
    "YES": r"(?:(?:yes|yeah|yep|indeed),? )",
    "REALLY": r"(?:really |actually |definitely |certainly |clearly |indeed )?",
}
"""Lower case: text that the action reads, such as a label. Capitals: alternative wordings."""


class Phrase(NamedTuple):
    """A phrase of an action; ``note`` tells the action what the slots do not."""

    says: str
    note: str = ""


def phrases(*says: str, note: str = "") -> tuple[Phrase, ...]:
    """Makes phrases with the same note."""
    return tuple(Phrase(one, note) for one in says)


@cache
def pattern(says: str) -> re.Pattern[str]:
    """Compiles a phrase into a pattern for the whole input; ``{label_}`` is a second slot for a label."""
    before = None
    while before != says:
        before, says = says, re.sub(r"\{([A-Za-z]+)(_*)\}", _slot, says)
    return re.compile(says, re.IGNORECASE)


def words_of(phrase: Phrase) -> frozenset[str]:
    """Returns the ordinary words of a phrase with four letters or more."""
    bare = re.sub(r"\(\?P<\w+>|\{\w+\}|\\\w", " ", pattern(phrase.says).pattern)
    return frozenset(re.findall(r"[a-z]{4,}", bare))


def _slot(found: re.Match[str]) -> str:
    name, again = found[1], found[2]
    return SLOTS[name].replace(f"(?P<{name}>", f"(?P<{name}{again}>")
