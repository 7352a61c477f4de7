"""An action of one module and one row is parsed, completed, listed, understood, offered to models, and carried out."""

from typing import Annotated

import pytest
from kit import photo

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.sessions._conversation import tool
from doubleread.sessions.actions.action import Action, Intent, NotUnderstood
from doubleread.sessions.actions.arguments import COUNT, LABEL
from doubleread.sessions.actions.registry import actions, another_action
from doubleread.sessions.actions.similar import SIMILAR
from doubleread.sessions.completion import complete
from doubleread.sessions.intents import parse
from doubleread.sessions.names import known_of
from doubleread.sessions.phrases import pattern
from doubleread.sessions.standing import CaseSeen, Standing
from doubleread.sessions.talk import answer

MODULE = '''
"""The odds of a label."""

from typing import Annotated

from doubleread.core.base import Record
from doubleread.sessions.actions.action import Action
from doubleread.sessions.actions.arguments import LABEL
from doubleread.sessions.actions._facts import said, spoken
from doubleread.sessions.phrases import phrases


class Of(Record):
    label: Annotated[str, LABEL]


async def odds(asked, standing):
    share = spoken(standing).verdict.posterior[asked.label]
    return said((f"the odds of {asked.label} are {share / (1 - share):.3f}",))


ODDS = Action(
    "odds",
    Of,
    odds,
    help="The odds of a label.",
    saying="what are the odds of X?",
    question="the odds of what? Name a label",
    phrases=phrases("(?:what are )?(?:the )?odds (?:of|for) {ART}{label}", "how balanced is {label}"),
)
'''


@pytest.fixture(scope="module")
def standing(panel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen")
    red, blue = (Case.from_file(photo(folder / f"{hue}.png", hue, seed=77_001)) for hue in (2, 0))
    seen = {red.id: CaseSeen(red, "red.png", (panel.diagnose(red),)), blue.id: CaseSeen(blue, "blue.png")}
    return Standing(panel, seen, red.id)


@pytest.fixture
def row(tmp_path, monkeypatch):
    (tmp_path / "odds_action.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with another_action("odds", "odds_action:ODDS"):
        yield


def arguments_of(text, standing):
    intent = parse(text, known_of(standing))
    assert isinstance(intent, Intent), intent
    assert intent.command == "odds"
    return intent.arguments.model_dump()


@pytest.mark.usefixtures("row")
def test_its_command_is_parsed_with_typed_arguments(standing):
    assert actions()["odds"].line == "/odds LABEL"
    assert arguments_of("/odds green", standing) == {"label": "green"}
    assert arguments_of("/ods grene", standing) == {"label": "green"}
    missing, unknown = (parse(text, known_of(standing)) for text in ("/odds", "/odds moss"))
    assert isinstance(missing, NotUnderstood)
    assert missing.problem == "the odds of what? Name a label"
    assert missing.suggestions
    assert all(one.startswith("/odds ") for one in missing.suggestions)
    assert isinstance(unknown, NotUnderstood)
    assert unknown.problem.startswith("there is no label “moss”")


@pytest.mark.usefixtures("row")
def test_it_is_completed(standing):
    assert [(one.text, one.about) for one in complete("/od", standing)] == [("/odds", "The odds of a label.")]
    assert [one.text for one in complete("/odds gr", standing)] == ["/odds green"]


@pytest.mark.usefixtures("row")
async def test_it_is_listed_in_the_help(standing):
    _, table = (await answer("/help", standing)).reply.blocks
    assert ("/odds LABEL", "what are the odds of X?", "The odds of a label.") in table.rows


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize("text", ["what are the odds of green?", "Odds for a grene", "how balansed is green"])
def test_its_plain_words_are_understood(text, standing):
    assert arguments_of(text, standing) == {"label": "green"}


@pytest.mark.usefixtures("row")
def test_a_model_is_offered_it(standing):
    schema = next(one["function"] for one in map(tool, actions().for_models) if one["function"]["name"] == "odds")
    assert schema["description"] == "The odds of a label."
    assert schema["parameters"]["properties"]["arguments"] == {
        "type": "string",
        "description": "What stands behind the command: LABEL",
    }


@pytest.mark.usefixtures("row")
async def test_it_is_carried_out(standing):
    share = standing.cases[standing.current].verdicts[-1].posterior["green"]
    (block,) = (await answer("what are the odds of green?", standing)).reply.blocks
    assert block.lines == (f"the odds of green are {share / (1 - share):.3f}",)


SLY = """
from doubleread.sessions.actions.action import Action, Intent, Nothing
from doubleread.sessions.actions.decide import Truth
from doubleread.sessions.actions.help import help_
from doubleread.sessions.phrases import phrases


def confirms(phrase, slots, known, heard):
    return Intent(command="confirm", arguments=Truth(label=known.leading))


SLY = Action("sly", Nothing, help_, help="Confirms.", phrases=phrases("rubber stamp it"), understood=confirms)
"""


def test_a_phrase_of_an_action_that_does_not_decide_confirms_nothing(standing, tmp_path, monkeypatch):
    (tmp_path / "sly_action.py").write_text(SLY)
    monkeypatch.syspath_prepend(tmp_path)
    with another_action("sly", "sly_action:SLY"):
        assert isinstance(parse("rubber stamp it", known_of(standing)), NotUnderstood)


def test_several_arguments_have_to_be_told_apart():
    class Two(Record):
        label: Annotated[str, LABEL]
        count: Annotated[int, COUNT]

    with pytest.raises(TypeError, match="give `typed`"):
        Action("two", Two, SIMILAR.run, help="Two arguments.")


def test_without_its_row_it_is_not_there(standing):
    assert "odds" not in actions()
    assert isinstance(parse("/odds green", known_of(standing)), NotUnderstood)


def test_every_row_is_named_as_its_action():
    assert all(name == action.name for name, action in actions().items())
    assert all(action.help.endswith(".") for action in actions().values())


EXAMPLES = [(name, said) for name, action in actions().items() for said in action.saying.split("; ") if said]


@pytest.mark.parametrize(("name", "said"), EXAMPLES, ids=[said for _, said in EXAMPLES])
def test_what_the_help_says_is_understood(name, said, standing):
    """X stands for a label or an agent."""
    meant = [said.replace("X", one) for one in ("green", "logistic")]
    found = [parse(text, known_of(standing)) for text in meant]
    assert name in [one.command for one in found if isinstance(one, Intent)]


def test_every_phrase_is_a_pattern_that_belongs_to_one_action():
    every = actions()
    ways = (*every.ways, *every.decisions, *every.late_ways)
    assert all(pattern(phrase.says).fullmatch("") is None for _, phrase in ways)
    assert len({phrase.says for _, phrase in ways}) == len(ways)
