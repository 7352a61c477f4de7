"""What is answered of real verdicts: looked up, never made up, and changing nothing by itself."""

import re

import pytest
from kit import photo

from doubleread.core.case import Case
from doubleread.panel import Panel
from doubleread.sessions._grounding import plain_text
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.completion import complete
from doubleread.sessions.record import Bars, Cases, Confirm, How, Read, Switch, Table, Text, Undo
from doubleread.sessions.standing import CaseSeen, Standing
from doubleread.sessions.talk import answer

NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?:e-?\d+)?(?P<percent> ?%)?(?![\w-])")


@pytest.fixture(scope="module")
def standing(panel, tmp_path_factory):
    """Two pictures the panel has not seen: a red one, talked about, and a blue one."""
    folder = tmp_path_factory.mktemp("seen")
    red = Case.from_file(photo(folder / "red.png", 2, seed=77_001))
    blue = Case.from_file(photo(folder / "blue.png", 0, seed=77_002))
    seen = {case.id: CaseSeen(case, case.path.name, (panel.diagnose(case),)) for case in (red, blue)}
    return Standing(panel, seen, red.id, {})


def verdict_of(standing):
    return standing.cases[standing.current].verdicts[-1]


def words(answered):
    """Everything in a reply that is read as text."""
    for block in answered.reply.blocks:
        if isinstance(block, Text):
            yield from block.lines
        elif isinstance(block, Table):
            yield from (*block.head, *(cell for row in block.rows for cell in row))
        elif isinstance(block, Bars | Cases):
            yield block.title


async def told(text, standing):
    return "\n".join(words(await answer(text, standing)))


def numbers(found):
    """All numbers of a JSON value, those in its texts too."""
    if isinstance(found, bool) or found is None:
        return
    if isinstance(found, int | float):
        yield float(found)
    elif isinstance(found, str):
        yield from (value / (100 if percent else 1) for value, percent, _ in written(found))
    else:
        for one in found.values() if isinstance(found, dict) else found:
            yield from numbers(one)


def written(text):
    """Numbers as they stand in a text: value, whether in per cent, and half a unit of the last place."""
    for found in NUMBER.finditer(text):
        digits = found[0].rstrip(" %")
        places = len(digits.partition(".")[2])
        yield float(digits), bool(found["percent"]), 0.5 * 10**-places


def counted(standing):
    """What may be counted: neighbours, those of a label, those shared, images and their places."""
    near = [seen.verdicts[-1].evidence.neighbours for seen in standing.cases.values()]
    yield from range(len(standing.cases) + 1)
    yield from map(len, near)
    yield from (sum(n.label == name for n in some) for some in near for name in standing.panel.task.names)
    yield len(set.intersection(*({n.case_id for n in some} for some in near)))


async def facts_of(standing):
    """Every number that a reply may tell without what the person asked for themselves."""
    panel, known = standing.panel, [0.95]
    for seen in standing.cases.values():
        verdict = seen.verdicts[-1]
        known += numbers(
            [one.model_dump(mode="json") for one in (verdict, panel.explain(verdict), panel.what_if(verdict))]
        )
        known += numbers([one.model_dump(mode="json") for one in await panel.nearest(seen.case, panel.task.names, 10)])
    known += numbers([one.model_dump(exclude={"created"}) for one in panel.profiles])
    known += [await panel.similarity(*(seen.case for seen in standing.cases.values()))]
    return [*known, *counted(standing)]


def unfounded(text, facts):
    """Numbers of a text that are no rounding of any fact."""
    for value, percent, half in written(text):
        scale = 100 if percent else 1
        if not any(abs(fact * scale - value) <= half * 1.001 + 1e-9 * abs(value) for fact in facts):
            yield f"{value:g}{'%' if percent else ''}"


ASKED = [
    "why?",
    "why not blue?",
    "why not red?",
    "show me similar cases",
    "show me 4 cases of green",
    "who disagrees?",
    "how far can I trust the discriminant agent",
    "how far can I trust you?",
    "what would change your mind?",
    "leave logistic out",
    "compare with the second image",
    "/images",
]


@pytest.mark.parametrize(("text", "label"), [("where did the agents look?", None), ("/where green", "green")])
async def test_where_the_agents_looked_is_told_in_the_numbers_of_the_maps(text, label, standing):
    answered = await answer(text, standing)
    maps, how = answered.reply.blocks
    found = await standing.panel.aattribute(verdict_of(standing), label=label)
    assert maps.found.model_dump(exclude={"seconds"}) == found.model_dump(exclude={"seconds"})
    assert maps.found.label == (label or verdict_of(standing).label)
    facts = [*numbers(found.model_dump(mode="json")), *(abs(one.drops).max() for one in found.maps), 0.01]
    told = plain_text(answered.reply)
    points = re.sub(r"by more than [\d.]+ points", "", told.removesuffix("\n".join(how.lines)))
    assert list(unfounded(points, facts)) == []
    assert all(one.line in told for one in found.maps)


async def test_where_one_agent_looked_and_why_another_has_no_map(standing):
    (maps, _how) = (await answer("/where texture", standing)).reply.blocks
    assert [one.agent for one in maps.found.maps] == ["texture"]
    assert maps.found.without == {}
    left_out = await answer("where did zero-shot look?", standing)
    assert "zero-shot" in standing.panel.left_out
    assert "zero-shot was not asked: it gave no answer on any calibration image" in plain_text(left_out.reply)


async def test_every_agent_stands_in_the_table_of_who_said_what(standing):
    reply = (await answer("who disagrees?", standing)).reply
    (table,) = [one for one in reply.blocks if isinstance(one, Table)]
    assert [row[0] for row in table.rows] == [one.agent for one in standing.panel.members]
    (silent,) = [row for row in table.rows if row[0] == "zero-shot"]
    assert (silent[1], silent[5]) == ("not asked", "none: 0 of 24 answered")
    about = plain_text((await answer("how good is zero-shot", standing)).reply)
    assert "there is no record of zero-shot: it answered 0 of 24 calibration images" in about


def test_where_is_completed_by_agents_labels_and_both(standing):
    offered = {one.text for one in complete("/where ", standing)}
    assert {"/where texture", "/where green"} <= offered
    assert [one.text for one in complete("/where texture gr", standing)] == ["/where texture green"]


@pytest.mark.parametrize("text", ASKED)
async def test_every_number_of_a_reply_is_a_fact(text, standing):
    answered = await answer(text, standing)
    shown = [len(block.cases) for block in answered.reply.blocks if isinstance(block, Cases)]
    facts = [*await facts_of(standing), *shown, *(value for value, *_ in written(text))]
    said = "\n".join(words(answered))
    assert said
    assert list(unfounded(said, facts)) == []


@pytest.mark.parametrize(
    ("text", "costs", "prevalence"),
    [
        ("what if a missed blue costs 5", {"matrix": {"blue": {"red": 5.0, "green": 5.0}}}, {}),
        ("/costs referral=0.001", {"referral": 0.001}, {}),
        ("what if blue were 60 % of cases", {}, {"blue": 0.6}),
        ("what if blue were twice as common", {}, {"blue": 2 / 3}),
    ],
)
async def test_what_if_is_what_the_panel_would_say(text, costs, prevalence, standing):
    panel, verdict = standing.panel, verdict_of(standing)
    priced = panel.task.costs.model_copy(update=costs)
    then = panel.what_if(verdict, costs=priced, prevalence=prevalence)
    said = await told(text, standing)
    assert then.decision.reasons[0] in said
    assert ("another verdict" in said) == then.changes
    facts = [*await facts_of(standing), *numbers(then.model_dump()), *(value for value, *_ in written(text))]
    assert list(unfounded(said, facts)) == []


def test_the_check_of_numbers_finds_one_that_was_made_up():
    assert list(unfounded("at 83.1%, on 40 cases, 0.125", [0.8312, 40, 0.1249])) == []
    assert list(unfounded("at 84.1%, on 41 cases", [0.8312, 40])) == ["84.1%", "41"]


async def test_why_tells_the_panels_own_account(standing):
    said = await told("why?", standing)
    assert all(line in said for line in standing.panel.explain(verdict_of(standing)).lines)


async def test_similar_cases_are_of_the_label_nearest_first_and_never_the_image_itself(standing):
    (_, cases) = (await answer("show me 4 cases of green", standing)).reply.blocks
    assert [one.label for one in cases.cases] == ["green"] * 4
    near = [one.similarity for one in cases.cases]
    assert near == sorted(near, reverse=True)
    (_, nearest) = (await answer("similar 5", standing)).reply.blocks
    found = [one.case_id for one in verdict_of(standing).evidence.neighbours[:5]]
    assert [one.case_id for one in nearest.cases] == found


async def test_without_an_agent_it_says_what_the_explanation_says(standing):
    explained = {one.agent: one for one in standing.panel.explain(verdict_of(standing)).without}
    agent = next(iter(explained))
    assert explained[agent].outcome in await told(f"/without {agent}", standing)
    unknown = await answer("leave logistic and the weather out", standing)
    assert unknown.orders == ()
    two = await answer("leave logistic and neighbours out", standing)
    assert two.orders == (Read(how=How(without=("logistic", "neighbours"))),)


async def test_orders(standing):
    (other,) = (one for one in standing.cases if one != standing.current)
    read = await answer("read it again without the neighbours", standing)
    assert read.orders == (Read(how=How(without=("neighbours",))),)
    assert (await answer("switch to blue.png", standing)).orders == (Switch(case=other),)
    assert (await answer("/read-again only logistic k=7", standing)).orders == (Read(how=How(only=("logistic",), k=7)),)


async def test_a_confirmation_says_what_is_kept_and_how_to_undo_it(standing):
    yes = await answer("yes, that's right", standing)
    assert yes.orders == (Confirm(label=verdict_of(standing).label),)
    no = await answer("no, it's green", standing)
    assert no.orders == (Confirm(label="green"),)
    for answered in (yes, no):
        said = "\n".join(words(answered))
        assert "archive" in said
        assert "/undo takes it back" in said


async def test_what_was_decided_is_known(standing):
    decided = Standing(standing.panel, standing.cases, standing.current, {standing.current: "green"})
    assert (await answer("/correct green", decided)).orders == ()
    assert "this replaces green" in await told("/correct blue", decided)
    assert (await answer("undo", decided)).orders == (Undo(),)
    nothing = await answer("undo", standing)
    assert nothing.orders == ()
    assert "nothing to undo" in "\n".join(words(nothing))


async def test_an_image_that_the_panel_learned_from_is_not_promised_to_its_trust(panel, dataset):
    own = next(case for case in dataset.cases if case.source[-6:-4] == "01")
    seen = {own.id: CaseSeen(own, "own.png", (panel.diagnose(own),))}
    said = await told("/confirm", Standing(panel, seen, own.id, {}))
    assert "the panel has already learned from this image" in said


async def test_a_panel_of_two_agents_answers_too(made, quick, tmp_path):
    with Panel.load(made, settings=quick) as two:
        case = Case.from_file(photo(tmp_path / "green.png", 1, seed=77_003))
        alone = Standing(two, {case.id: CaseSeen(case, "green.png", (two.diagnose(case),))}, case.id, {})
        for text in ("why", "who", "what would change your mind", "how far can I trust logistic", "similar"):
            assert (await answer(text, alone)).reply.blocks
        assert "no other image" in await told("compare", alone)
        assert "no agent would be left" in await told("/read-again without logistic neighbours", alone)


@pytest.mark.parametrize("command", [*actions()])
async def test_a_session_without_an_image_or_a_verdict_says_so(command, panel, standing):
    usage = {"why-not": "blue", "without": "logistic", "costs": "error=2", "prevalence": "blue=0.5", "correct": "blue"}
    text = f"/{command} {usage.get(command, '')}".strip()
    empty = await answer(text, Standing(panel, {}, None, {}))
    assert empty.reply.blocks
    assert empty.orders == ()
    case = standing.cases[standing.current].case
    unread = await answer(text, Standing(panel, {case.id: CaseSeen(case, "new.png", ())}, case.id, {}))
    assert unread.reply.blocks
    assert not any(isinstance(order, Confirm) for order in unread.orders)


async def test_what_is_not_understood_orders_nothing_and_says_what_one_can_do(standing):
    for text in ("sing", "", "/nothing", "why not moss?", "this is not red"):
        answered = await answer(text, standing)
        assert answered.orders == ()
        assert answered.reply.suggestions


async def test_what_was_mended_is_said_first(standing):
    assert (await told("why not blu?", standing)).startswith("“blu” is taken for the label blue")


async def test_help_names_every_command(standing):
    said = await told("help", standing)
    assert all(action.line in said for action in actions().values())


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("/wh", ["/why", "/why-not", "/who", "/where", "/what-would-change"]),
        ("/why-not g", ["/why-not green"]),
        ("/without log", ["/without logistic"]),
        ("/switch ", ["/switch blue.png"]),
        ("/read-again wi", ["/read-again without"]),
        ("/read-again without log", ["/read-again without logistic"]),
        ("/costs referral=0.1 r", ["/costs referral=0.1 referral=", "/costs referral=0.1 red="]),
        ("/prevalence b", ["/prevalence blue="]),
        ("/why ", []),
        ("/nothing x", []),
        ("why", []),
    ],
)
def test_completion(text, offered, standing):
    assert sorted(one.text for one in complete(text, standing)) == sorted(offered)


def test_an_empty_line_offers_every_command(standing):
    assert [one.text for one in complete("", standing)] == [f"/{name}" for name in actions()]
