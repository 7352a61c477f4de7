"""Finding what a person means by a name: as it is spelt, by a part of it, or but for a slip that fits only one."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from doubleread.sessions.standing import Standing

_NEAR, _CLEARLY = 0.75, 0.1
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_AROUND = re.compile(r"^(?:the|a|an|agent|label|image|picture|photo) | (?:agent|agents|label|image|picture|photo|one)$")


class Unclear(Exception):
    """What was said cannot be understood for certain; says why, and what one might say instead."""

    def __init__(self, problem: str, suggestions: Iterable[str] = ()) -> None:
        self.problem, self.suggestions = problem, tuple(suggestions)
        super().__init__(problem)


def fold(text: str) -> str:
    """A name as it is compared: without case, dashes, underscores and repeated blanks."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("n't", " not")
    return " ".join(re.sub(r"[-_\s]+", " ", plain).split())


@dataclass(frozen=True)
class Names:
    """The names of one kind of thing, each with the ways it may be spelt."""

    kind: str
    shown: Mapping[str, str]
    """How each is shown to people, by what it is."""
    spellings: Mapping[str, frozenset[str]]
    """What a folded spelling may mean."""

    @classmethod
    def of(cls, kind: str, shown: Mapping[str, str], spellings: Iterable[tuple[str, str]] = ()) -> "Names":
        """Names that are spelt as they are shown, and in other ways: pairs of a spelling and what it means."""
        found: dict[str, set[str]] = {}
        for spelling, one in [*((name, one) for one, name in shown.items()), *spellings]:
            found.setdefault(fold(spelling), set()).add(one)
        return cls(kind, dict(shown), {spelling: frozenset(ones) for spelling, ones in found.items() if spelling})

    def exact(self, text: str) -> str | None:
        """What is spelt so, and nothing else is; None where there is none or more than one."""
        if text in self.shown.values() and list(self.shown.values()).count(text) == 1:
            return next(one for one, name in self.shown.items() if name == text)
        return self._spelt(fold(text))

    def _spelt(self, folded: str) -> str | None:
        meant = self.spellings.get(folded, frozenset())
        return next(iter(meant)) if len(meant) == 1 else None

    def find(self, text: str, heard: list[str]) -> str:
        """What a text means; a slip that was mended is added to ``heard``. Raises ``Unclear``."""
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
        """Those with these very words in their name."""
        if len(text) < 3:
            return frozenset()
        return frozenset().union(*(ones for name, ones in self.spellings.items() if f" {text} " in f" {name} "))

    def _nearly(self, text: str) -> frozenset[str]:
        """Those spelt nearly so, and about as nearly as the nearest."""
        if len(text) < 3:
            return frozenset()
        near = {
            name: ratio
            for name in self.spellings
            if len(name) > 3 and (ratio := difflib.SequenceMatcher(None, text, name).ratio()) >= _NEAR
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


def _bare(text: str) -> str:
    """Without an article or the kind's own word around it."""
    shorter = _AROUND.sub("", text).strip()
    return text if shorter == text or not shorter else _bare(shorter)


@dataclass(frozen=True)
class Known:
    """The names that can occur in what is said now."""

    labels: Names
    agents: Names
    images: Names
    leading: str | None = None
    """The likeliest label of the image talked about."""
    others: tuple[str, ...] = field(default=())
    """The other images of the session, by case id."""
    k: int = 10
    """Similar cases that are looked for."""


def image_names(shown: Mapping[str, str], current: str | None) -> Names:
    """Images by their names, with or without the ending, by their place, and as the last or the other one."""
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
    """The names that can occur in what is said now."""
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
    """Who can be asked, or asked about: those who read, and referees, kept or not."""
    return tuple(dict.fromkeys((*standing.panel.agents, *standing.panel.settings.panel.agents)))
