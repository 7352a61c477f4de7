"""What one can say, as a table: what each command does, what it takes, and how a line begun may go on."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from doubleread.core.base import Record
from doubleread.sessions.standing import Standing

Kind = Literal["label", "agent", "image", "count", "cost", "share", "how", "where"]
"""What an argument is: ``how`` are the words of a new reading, ``cost`` and ``share`` are written NAME=NUMBER.

``where`` is an agent, a label, or an agent and then a label."""
CommandName = Literal[
    "why",
    "why-not",
    "similar",
    "who",
    "where",
    "what-would-change",
    "read-again",
    "without",
    "costs",
    "prevalence",
    "confirm",
    "correct",
    "undo",
    "compare",
    "images",
    "switch",
    "help",
]


class Command(Record):
    """One thing that one can say."""

    name: CommandName
    about: str
    takes: tuple[Kind, ...] = ()
    usage: str = ""
    """Its arguments, as they are typed."""
    saying: str = ""
    """The same in plain words."""

    @property
    def line(self) -> str:
        """As it is typed, with its arguments."""
        return f"/{self.name} {self.usage}".rstrip()


class Completion(Record):
    """How a line may go on: ``text`` is the whole line then."""

    text: str
    about: str


COMMANDS = (
    Command(name="why", about="Why the verdict is what it is.", saying="why?"),
    Command(name="why-not", about="What speaks against a label.", takes=("label",), usage="LABEL", saying="why not X?"),
    Command(
        name="similar",
        about="The most similar stored cases, of one label if one is named.",
        takes=("label", "count"),
        usage="[LABEL] [N]",
        saying="show me similar cases of X",
    ),
    Command(
        name="who",
        about="Who said what, who differs, and how far each is trusted; or all that is known of one agent.",
        takes=("agent",),
        usage="[AGENT]",
        saying="who disagrees?",
    ),
    Command(
        name="where",
        about="Where in the image the local agents' probability of the label rests, or of the label named.",
        takes=("where",),
        usage="[AGENT] [LABEL]",
        saying="where did the agents look?",
    ),
    Command(
        name="what-would-change",
        about="From which cost or prevalence on the verdict would be another.",
        saying="what would change your mind?",
    ),
    Command(
        name="read-again",
        about="Read the image again: without agents, by some only, with a second look, with K similar cases, or with a "
        "hint to those that read text.",
        takes=("how",),
        usage="[without AGENT…] [only AGENT…] [look-again] [k=K] [hint: WORDS]",
        saying="read it again without X; look again, it was sprayed with copper",
    ),
    Command(
        name="without",
        about="What the verdict would have been without an agent; nobody is asked again.",
        takes=("agent",),
        usage="AGENT",
        saying="leave X out",
    ),
    Command(
        name="costs",
        about="The verdict at other costs: of a referral, of an error, of missing X, of calling X Y.",
        takes=("cost",),
        usage="referral=C | error=C | X=C | X>Y=C",
        saying="what if a missed X costs 5?",
    ),
    Command(
        name="prevalence",
        about="The verdict where labels are more or less common.",
        takes=("share",),
        usage="LABEL=SHARE",
        saying="what if X were twice as common?",
    ),
    Command(
        name="confirm",
        about="Say that the likeliest label, or the one named, is true: trust and archive learn from it.",
        takes=("label",),
        usage="[LABEL]",
        saying="yes, that's right",
    ),
    Command(name="correct", about="Say what is true instead.", takes=("label",), usage="LABEL", saying="no, it's X"),
    Command(name="undo", about="Take the last confirmation or correction back.", saying="take that back"),
    Command(
        name="compare",
        about="Another image of the session beside this one.",
        takes=("image",),
        usage="IMAGE",
        saying="compare with the second image",
    ),
    Command(name="images", about="The images of the session, and what was said of them."),
    Command(
        name="switch", about="Talk about another image.", takes=("image",), usage="IMAGE", saying="switch to the first"
    ),
    Command(name="help", about="What one can say."),
)
BY_NAME: dict[str, Command] = {command.name: command for command in COMMANDS}
assert tuple(BY_NAME) == get_args(CommandName)

_HOW = {
    "without": "leave agents out",
    "only": "ask these agents and no others",
    "look-again": "take a second look in any case",
    "k=": "similar cases to find",
    "hint:": "what the agents should know that read text",
}


def complete(text: str, standing: Standing) -> list[Completion]:
    """How a line begun may go on; nothing for one that is no command."""
    line = text.lstrip()
    if line and not line.startswith("/"):
        return []
    word, blank, rest = line.partition(" ")
    if not blank:
        return [Completion(text=f"/{c.name}", about=c.about) for c in COMMANDS if f"/{c.name}".startswith(word)]
    command = BY_NAME.get(word[1:])
    if command is None:
        return []
    offers = [offer for kind in command.takes for offer in _OFFERS[kind](rest, standing)]
    return [Completion(text=f"{word} {said}", about=about) for said, about in offers]


Offers = Sequence[tuple[str, str]]
"""What may stand behind the command, and what each is."""


def _begun(rest: str, names: dict[str, str]) -> Offers:
    """Names that go on as the text begins; one that stands there whole needs nothing more."""
    typed = rest.casefold()
    return [(name, about) for name, about in names.items() if name.casefold().startswith(typed) and name != rest]


def _labels(rest: str, standing: Standing) -> Offers:
    return _begun(rest, _shown_labels(standing))


def _agents(rest: str, standing: Standing) -> Offers:
    return _begun(rest, dict.fromkeys(agents_of(standing), "agent"))


def _images(rest: str, standing: Standing) -> Offers:
    others = {seen.name: "image" for one, seen in standing.cases.items() if one != standing.current}
    return _begun(rest, others)


def _where(rest: str, standing: Standing) -> Offers:
    agent, blank, label = rest.partition(" ")
    if blank and agent in agents_of(standing):
        return [(f"{agent} {name}", about) for name, about in _labels(label, standing)]
    return [*_agents(rest, standing), *_labels(rest, standing)]


def _nothing(_rest: str, _standing: Standing) -> Offers:
    return []


def _costs(rest: str, standing: Standing) -> Offers:
    labels = {f"{name}=": f"missing {name}" for name in standing.panel.task.names}
    return _last(rest, {"referral=": "a referral", "error=": "an ordinary error", **labels})


def _shares(rest: str, standing: Standing) -> Offers:
    return _last(rest, {f"{name}=": "share of the cases" for name in standing.panel.task.names})


def _how(rest: str, standing: Standing) -> Offers:
    return _last(rest, {**_HOW, **dict.fromkeys(agents_of(standing), "agent")} if rest.strip() else _HOW)


def _last(rest: str, names: dict[str, str]) -> Offers:
    """Completions of the last word; those before it stay."""
    before, blank, word = rest.rpartition(" ")
    used = set(before.split())
    return [(before + blank + name, about) for name, about in _begun(word, names) if name not in used]


def _shown_labels(standing: Standing) -> dict[str, str]:
    return {label.name: label.description or "label" for label in standing.panel.task.labels}


def agents_of(standing: Standing) -> tuple[str, ...]:
    """Who can be asked, or asked about: those who read, and referees, kept or not."""
    return tuple(dict.fromkeys((*standing.panel.agents, *standing.panel.settings.panel.agents)))


_OFFERS: dict[Kind, Callable[[str, Standing], Offers]] = {
    "label": _labels,
    "agent": _agents,
    "image": _images,
    "count": _nothing,
    "cost": _costs,
    "share": _shares,
    "how": _how,
    "where": _where,
}
