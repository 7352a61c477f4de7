"""What an action of a session declares.

Its slash command, completion, help, plain words and the tool for a model all follow from it. To add one, write a module
with an ``Action``, and a row in ``registry``:

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
"""What was mended to understand someone, in words."""
Offers = Sequence[tuple[str, str]]
"""What may stand behind a command, and what each is."""
Slots = Mapping[str, str]
"""The words that stand in the slots of a phrase."""
A = TypeVar("A", bound=Record)


class Nothing(Record):
    """The arguments of an action that takes none."""


class Intent(Record):
    """What a person wants: an action and its arguments. ``heard`` tells what was mended to understand it."""

    command: str
    arguments: SerializeAsAny[Record] = Nothing()
    heard: tuple[str, ...] = ()


class NotUnderstood(Record):
    """What could not be understood, and what one might say instead."""

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
    """A chat action: something that one can ask of a session.

    Examples:
        >>> from doubleread.sessions.actions.registry import actions
        >>> actions()["similar"].line
        '/similar [LABEL] [N]'

    ``arguments`` is a record; a field that can be typed has a ``Kind``. ``run`` gets such a record and returns a reply,
    orders to the session, or both. It changes nothing itself, and raises ``Unclear`` if it cannot do what was asked.

    One field with a kind, or none, needs nothing else. An action with more fields, or with a syntax of its own, also
    gives ``typed``, and ``understood`` if its phrases need more than their slots. Raises ``TypeError`` without.
    """

    name: str
    arguments: type[A]
    run: Callable[[A, Standing], Awaitable[Response]]
    help: str
    saying: str = ""
    """An example in plain words."""
    phrases: tuple[Phrase, ...] = ()
    """Plain words that mean it. All phrases are tried in the order of the registry; the first one with known names
    wins."""
    late_phrases: tuple[Phrase, ...] = ()
    """Phrases that are tried after those of all actions, and never for a question."""
    question: str = ""
    """What to ask if a required argument is missing."""
    usage: str = ""
    """The arguments in the help; by default the usage of their kinds."""
    typed: Callable[[str, Known, Heard], A] | None = None
    """Makes the arguments from what is typed behind the command. Raises ``Unclear``."""
    understood: Callable[[Phrase, Slots, Known, Heard], A | Intent] | None = None
    """Makes the arguments from a phrase, or an intent for another action. Raises ``Unclear``."""
    offers: Callable[[str, Standing], Offers] | None = None
    """Completes typed arguments; by default as their kinds do."""
    decides: bool = False
    """Whether it changes what the panel knows. Such an action is never guessed, and no question or model starts it."""
    without_slash: bool = False
    """Whether the command may be typed without its slash."""
    for_models: bool = True
    """Whether a language model gets it as a tool; one that ``decides`` never does."""
    own_words: Callable[[A], str] | None = None
    """Words in the arguments that a model must take from what the person said."""

    def __post_init__(self) -> None:
        if self.typed is None and len(self.kinds) > 1:
            raise TypeError(f"the action {self.name} has several arguments: give `typed`, which tells them apart")

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """By field, the kinds of what can be typed."""
        fields = self.arguments.model_fields.items()
        return {name: kind for name, field in fields for kind in field.metadata if isinstance(kind, Kind)}

    @cached_property
    def takes(self) -> str:
        """The arguments as they are typed; empty where there are none."""
        return self.usage or " ".join(map(self._usage, self.kinds))

    @property
    def line(self) -> str:
        """The command as it is typed, with its arguments."""
        return f"/{self.name} {self.takes}".rstrip()

    def parse(self, rest: str, known: Known, heard: Heard) -> Intent:
        """What the command asks for with what stands behind it. Raises ``Unclear``."""
        given = self.typed(rest, known, heard) if self.typed else self._of_one_kind(rest, known, heard)
        return Intent(command=self.name, arguments=given)

    def understand(self, phrase: Phrase, slots: Slots, known: Known, heard: Heard) -> Intent:
        """What a phrase asks for. Raises ``Unclear``."""
        given = self.understood(phrase, slots, known, heard) if self.understood else self.filled(slots, known, heard)
        return given if isinstance(given, Intent) else Intent(command=self.name, arguments=given)

    def filled(self, slots: Slots, known: Known, heard: Heard) -> A:
        """The arguments that slots hold. Raises ``Unclear``."""
        found = {
            field: read(slots[slot], known, heard)
            for field, kind in self.kinds.items()
            for slot, read in kind.slots.items()
            if slot in slots
        }
        return self._made(found, known)

    def complete(self, rest: str, standing: Standing) -> Offers:
        """How the arguments begun may go on."""
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
