"""The declaration of a session's action.

Its slash command, completion, help, plain-English phrases and tool for a model are all derived from it. To add one,
write a module with an ``Action``, and a row in ``registry``:

    class Of(Record):
        label: Annotated[str, LABEL]

    async def odds(asked: Of, standing: Standing) -> Response: ...

    ODDS = Action("odds", Of, odds, help="The odds of a label.", phrases=phrases("what are the odds of {label}"))
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import SerializeAsAny

from doubleread.core.base import Record
from doubleread.sessions.names import Known, Unclear
from doubleread.sessions.phrases import Phrase
from doubleread.sessions.standing import Response, Standing

Heard = list[str]
"""Corrections made to understand the input, in words."""
Offers = Sequence[tuple[str, str]]
"""Completions of a command's arguments, each with a description."""
Slots = Mapping[str, str]
"""The text in each slot of a phrase."""
A = TypeVar("A", bound=Record)


class Nothing(Record):
    """The arguments of an action that takes none."""


class Intent(Record):
    """What a person wants: an action and its arguments. ``heard`` lists the corrections made to understand it."""

    command: str
    arguments: SerializeAsAny[Record] = Nothing()
    heard: tuple[str, ...] = ()


class NotUnderstood(Record):
    """Why input was not understood, and what to say instead."""

    problem: str
    suggestions: tuple[str, ...] = ()


def _no_offers(_rest: str, _standing: Standing) -> Offers:
    return ()


def _must_be_named(action: "Action[Any]", _known: Known) -> Any:
    raise Unclear(action.question or f"/{action.name} needs more", (action.line,))


@dataclass(frozen=True)
class Kind:
    """A kind of argument. Annotate a field with it: ``label: Annotated[str, LABEL]``."""

    usage: str
    """Its name in the help, such as ``LABEL``."""
    read: Callable[[str, Known, Heard], Any]
    """Makes the value from typed words. Raises ``Unclear``."""
    slots: Mapping[str, Callable[[str, Known, Heard], Any]]
    """Makes the value from the words in a phrase's slot, by the slot's name. Raises ``Unclear``."""
    offers: Callable[[str, Standing], Offers] = _no_offers
    """Completes typed words."""
    missing: Callable[["Action[Any]", Known], Any] = _must_be_named
    """Gives the value of a required argument that was left out, or raises ``Unclear`` to ask for it."""


@dataclass(frozen=True)
class Action(Generic[A]):
    """A chat action: something a person can ask of a session.

    Examples:
        >>> from doubleread.sessions.actions.registry import actions
        >>> actions()["similar"].line
        '/similar [LABEL] [N]'

    ``arguments`` is a record; a field that can be typed has a ``Kind``. ``run`` gets such a record and returns a reply,
    orders to the session, or both. It changes nothing itself, and raises ``Unclear`` if it cannot do what was asked.

    An action with more than one such field, or with a syntax of its own, also needs ``typed`` (``TypeError`` if several
    fields come without it), and ``understood`` if its phrases need more than their slots.
    """

    name: str
    arguments: type[A]
    run: Callable[[A, Standing], Awaitable[Response]]
    help: str
    saying: str = ""
    """An example in plain English."""
    phrases: tuple[Phrase, ...] = ()
    """Plain-English phrases for it. Phrases are tried in registry order; the first one with known names wins."""
    late_phrases: tuple[Phrase, ...] = ()
    """Phrases that are tried after those of all actions, and never for a question."""
    question: str = ""
    """What to ask if a required argument is missing."""
    usage: str = ""
    """The arguments in the help; by default the usage of their kinds."""
    typed: Callable[[str, Known, Heard], A] | None = None
    """Makes the arguments from the text after the command. Raises ``Unclear``."""
    understood: Callable[[Phrase, Slots, Known, Heard], A | Intent] | None = None
    """Makes the arguments from a phrase, or an intent for another action. Raises ``Unclear``."""
    offers: Callable[[str, Standing], Offers] | None = None
    """Completes typed arguments; by default as their kinds do."""
    decides: bool = False
    """Whether it changes what the panel knows. Such an action is never guessed or started by a question or model."""
    without_slash: bool = False
    """Whether the command may be typed without its slash."""
    for_models: bool = True
    """Whether a language model gets it as a tool; an action that ``decides`` is never a tool."""
    own_words: Callable[[A], str] | None = None
    """Returns the words in the arguments that a model must quote from the person."""

    def __post_init__(self) -> None:
        if self.typed is None and len(self.kinds) > 1:
            raise TypeError(f"the action {self.name} has several arguments: give `typed`, which tells them apart")

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The kinds of the fields that can be typed, by field."""
        fields = self.arguments.model_fields.items()
        return {name: kind for name, field in fields for kind in field.metadata if isinstance(kind, Kind)}

    @cached_property
    def takes(self) -> str:
        """The arguments as they are typed; empty without any."""
        return self.usage or " ".join(map(self._usage, self.kinds))

    @property
    def line(self) -> str:
        """The command as it is typed, with its arguments."""
        return f"/{self.name} {self.takes}".rstrip()

    def parse(self, rest: str, known: Known, heard: Heard) -> Intent:
        """Makes an intent from the text after the command. Raises ``Unclear``."""
        given = self.typed(rest, known, heard) if self.typed else self._of_one_kind(rest, known, heard)
        return Intent(command=self.name, arguments=given)

    def understand(self, phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> Intent:
        """Makes an intent from a phrase and its slots. Raises ``Unclear``."""
        given = self.understood(phrase, slots, known, heard) if self.understood else self.filled(slots, known, heard)
        return given if isinstance(given, Intent) else Intent(command=self.name, arguments=given)

    def filled(self, slots: Slots, known: Known, heard: Heard) -> A:
        """Makes the arguments from slots. Raises ``Unclear``."""
        found = {
            field: read(slots[slot], known, heard)
            for field, kind in self.kinds.items()
            for slot, read in kind.slots.items()
            if slot in slots
        }
        return self._made(found, known)

    def complete(self, rest: str, standing: Standing) -> Offers:
        """Completes the typed arguments."""
        if self.offers is not None:
            return self.offers(rest, standing)
        return [offer for kind in self.kinds.values() for offer in kind.offers(rest, standing)]

    def _of_one_kind(self, rest: str, known: Known, heard: Heard) -> A:
        if rest and not self.kinds:
            raise Unclear(f"/{self.name} takes nothing, and “{rest}” is not understood", (self.line,))
        return self._made({field: kind.read(rest, known, heard) for field, kind in self.kinds.items() if rest}, known)

    def _made(self, found: dict[str, Any], known: Known) -> A:
        for field, kind in self.kinds.items():
            if field not in found and self.arguments.model_fields[field].is_required():
                found[field] = kind.missing(self, known)
        return self.arguments(**found)

    def _usage(self, field: str) -> str:
        usage = self.kinds[field].usage
        return usage if self.arguments.model_fields[field].is_required() else f"[{usage}]"
