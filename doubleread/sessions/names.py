"""Finds names in what a person says: exact, by part, or misspelt if only one matches."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from doubleread.core.label_text import words_of
from doubleread.sessions.standing import Standing

_NEAR, _CLEARLY = 0.75, 0.1
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_AROUND = re.compile(r"^(?:the|a|an|agent|label|image|picture|photo) | (?:agent|agents|label|image|picture|photo|one)$")


class Unclear(Exception):
    """Raised if input cannot be understood for certain; says why, and what to say instead."""

    def __init__(self, problem: str, suggestions: Iterable[str] = ()) -> None:
        self.problem, self.suggestions = problem, tuple(suggestions)
        super().__init__(problem)


def fold(text: str) -> str:
    """Normalises a name: ignores case, underscores, dashes between words, and repeated spaces; keeps signs."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("n't", " not").replace("−", "-")
    return " ".join(re.sub(r"(?<!\S)-+(?!\S)", " ", words_of(plain)).split())


@dataclass(frozen=True)
class Names:
    """Names of one kind, with the ways each may be spelt."""

    kind: str
    shown: Mapping[str, str]
    """The display name of each item."""
    spellings: Mapping[str, frozenset[str]]
    """The items that a normalised spelling may mean."""

    @classmethod
    def of(cls, kind: str, shown: Mapping[str, str], spellings: Iterable[tuple[str, str]] = ()) -> "Names":
        """Makes names spelt as shown, or in other ways: pairs of a spelling and its item."""
        found: dict[str, set[str]] = {}
        for spelling, one in [*((name, one) for one, name in shown.items()), *spellings]:
            found.setdefault(fold(spelling), set()).add(one)
        return cls(kind, dict(shown), {spelling: frozenset(ones) for spelling, ones in found.items() if spelling})

    def exact(self, text: str) -> str | None:
        """Returns the item with exactly this spelling; None if there is none or more than one."""
        if text in self.shown.values() and list(self.shown.values()).count(text) == 1:
            return next(one for one, name in self.shown.items() if name == text)
        return self._spelt(fold(text))

    def _spelt(self, folded: str) -> str | None:
        meant = self.spellings.get(folded, frozenset())
        return next(iter(meant)) if len(meant) == 1 else None

    def find(self, text: str, heard: list[str]) -> str:
        """Finds an item; a corrected misspelling is added to ``heard``. Raises ``Unclear``."""
        bare = _bare(fold(text))
        found = self.exact(text) or self._spelt(bare)
        if found is not None:
            return found
        meant = self.spellings.get(bare) or self._partly(bare) or self._nearly(bare)
        if len(meant) == 1:
            (one,) = meant
            heard.append(f"“{text}” is taken for the {self.kind} {self.shown[one]}")
            return one
        raise Unclear(self._problem(text, meant), self._offers(meant))

    def _partly(self, text: str) -> frozenset[str]:
        """Returns the items whose name contains exactly these words."""
        if len(text) < 3:
            return frozenset()
        return frozenset().union(*(ones for name, ones in self.spellings.items() if f" {text} " in f" {name} "))

    def _nearly(self, text: str) -> frozenset[str]:
        """Returns the items with a similar spelling, if about as similar as the best."""
        if len(text) < 3:
            return frozenset()
        near = {
            name: ratio
            for name in self.spellings
            if len(name) > 3
            and _signs(name) == _signs(text)
            and (ratio := difflib.SequenceMatcher(None, text, name).ratio()) >= _NEAR
        }
        best = max(near.values(), default=0.0)
        close = (self.spellings[name] for name, ratio in near.items() if ratio > best - _CLEARLY)
        return frozenset().union(*close)

    def _problem(self, text: str, meant: frozenset[str]) -> str:
        shown = ", ".join(dict.fromkeys(self.shown[one] for one in self.shown if one in meant or not meant))
        if meant:
            return f"“{text}” may be more than one {self.kind}: {shown}"
        return f"there is no {self.kind} “{text}”; there {'is' if len(self.shown) == 1 else 'are'} {shown or 'none'}"

    def _offers(self, meant: frozenset[str]) -> list[str]:
        return [self.shown[one] for one in self.shown if one in meant]


def _signs(text: str) -> str:
    return "".join(re.findall(r"[-+<>=≥≤±*]", text))


def _bare(text: str) -> str:
    """Removes an article, or the word for the kind."""
    shorter = _AROUND.sub("", text).strip()
    return text if shorter == text or not shorter else _bare(shorter)


@dataclass(frozen=True)
class Known:
    """The names that may occur in a message."""

    labels: Names
    agents: Names
    images: Names
    leading: str | None = None
    """The most likely label of the current image."""
    others: tuple[str, ...] = field(default=())
    """The other images of the session, by case id."""
    k: int = 10
    """Number of similar cases in the evidence."""


def image_names(shown: Mapping[str, str], current: str | None) -> Names:
    """Names images by file name, with or without suffix, by position, and as "last" or "other"."""
    ids = list(shown)
    spellings = [(name.rsplit(".", 1)[0], one) for one, name in shown.items()]
    for place, one in enumerate(ids, start=1):
        spellings += [(spelt, one) for spelt in (str(place), f"image {place}", f"#{place}", f"number {place}")]
        spellings += [(_ORDINALS[place - 1], one)] if place <= len(_ORDINALS) else []
    others = [one for one in ids if one != current]
    spellings += [("last", ids[-1])] if ids else []
    spellings += [("other", others[0])] if len(others) == 1 else []
    return Names.of("image", shown, spellings)


def known_of(standing: Standing) -> Known:
    """Returns the names that may occur in a message."""
    task, current = standing.panel.task, standing.cases.get(standing.current or "")
    last = current.verdicts[-1] if current and current.verdicts else None
    return Known(
        labels=Names.of(
            "label",
            {name: name for name in task.names},
            [(phrase, label.name) for label in task.labels for phrase in label.phrases],
        ),
        agents=Names.of("agent", {name: name for name in agents_of(standing)}),
        images=image_names({one: seen.name for one, seen in standing.cases.items()}, standing.current),
        leading=last.label if last else None,
        others=tuple(one for one in standing.cases if one != standing.current),
        k=standing.panel.settings.retrieval.k,
    )


def agents_of(standing: Standing) -> tuple[str, ...]:
    """Returns all agents that can be asked or asked about: readers and referees, whether kept or not."""
    return tuple(one.agent for one in standing.panel.members)
