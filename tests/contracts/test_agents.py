"""What every agent must do, run on each row of the table and on the scripted agents of the tests."""

import io
import json

import numpy as np
import pytest
from agents_support import CASES, BrokenImages, X, Y, context, fitted, retrieved
from kit import TASK, ScriptedAgent, ScriptedRetriever, SecondThoughts, opinion

from doubleread.agents.local_agents import AGENTS
from doubleread.agents.recorded.book import AnswerBook
from doubleread.agents.recorded.recorder import replay
from doubleread.core.agent_ports import Agent, Learns, ReadsViews, Reconsiders
from doubleread.core.errors import NotFitted
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Opinion

SCRIPTED = {
    "scripted": lambda: ScriptedAgent("scripted", opinion("scripted", 0.2, 0.7, 0.1)),
    "second-thoughts": lambda: SecondThoughts(
        "second-thoughts",
        opinion("second-thoughts", 0.2, 0.7, 0.1),
        then_says=opinion("second-thoughts", 0.1, 0.8, 0.1, round=2),
    ),
}


def recorded():
    """Answers of both rounds to every case, replayed."""
    book = {}
    for case in CASES:
        book["replayed", 1, case.id] = opinion("replayed", 0.2, 0.7, 0.1)
        book["replayed", 2, case.id] = opinion("replayed", 0.1, 0.8, 0.1, round=2)
    return replay("replayed", AnswerBook(book))


SCRIPTED["recorded"] = recorded
MAKERS = {**{name: lambda name=name: fitted(name) for name in AGENTS.names()}, **SCRIPTED}
REAL = list(AGENTS.names())
LEARNING = [name for name in REAL if isinstance(AGENTS.get(name)(context()), Learns)]
SUPPORT = retrieved(1, 2, 4)
NOTHING = Evidence(neighbours=(), failure="the store is closed")


@pytest.fixture(params=MAKERS)
def agent(request):
    return MAKERS[request.param]()


def is_full_distribution(answer, name, turn):
    assert isinstance(answer, Opinion)
    assert (answer.agent, answer.round) == (name, turn)
    assert tuple(answer.probabilities) == TASK.names
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.confidence == max(answer.probabilities.values()) == answer.probabilities[answer.label]
    assert Opinion.model_validate_json(answer.model_dump_json()) == answer


async def test_a_case_is_read(agent):
    assert isinstance(agent, Agent)
    is_full_distribution(await agent.read(CASES[70]), agent.name, 1)


async def test_each_view_is_read_as_if_it_were_the_image(agent):
    if not isinstance(agent, ReadsViews):
        pytest.skip("is not asked about views")
    whole, centre = await agent.read_views(CASES[70], ("whole", "centre"))
    is_full_distribution(centre, agent.name, 1)
    read = await agent.read(CASES[70])
    assert whole.probabilities == pytest.approx(read.probabilities)
    assert whole.confidence_source == read.confidence_source


async def test_the_same_case_is_read_the_same_way(agent):
    one, two = await agent.read(CASES[70]), await agent.read(CASES[70])
    assert one.probabilities == two.probabilities
    assert one.confidence_source == two.confidence_source


async def test_a_second_look_gives_an_answer_of_round_two_from_the_same_source(agent):
    if not isinstance(agent, Reconsiders):
        pytest.skip("does not reconsider")
    answer = await agent.reconsider(CASES[70], SUPPORT)
    is_full_distribution(answer, agent.name, 2)
    assert answer.confidence_source == (await agent.read(CASES[70])).confidence_source


async def test_a_second_look_leaves_the_first_reading_as_it_was(agent):
    if not isinstance(agent, Reconsiders):
        pytest.skip("does not reconsider")
    before = await agent.read(CASES[70])
    await agent.reconsider(CASES[71], SUPPORT)
    assert (await agent.read(CASES[70])).probabilities == before.probabilities


async def test_a_second_look_without_evidence_is_no_accident(agent):
    if not isinstance(agent, Reconsiders):
        pytest.skip("does not reconsider")
    assert isinstance(await agent.reconsider(CASES[70], NOTHING), Opinion | Abstention)


@pytest.mark.parametrize("name", REAL)
async def test_the_name_is_that_of_the_table(name):
    agent = AGENTS.get(name)(context())
    assert agent.name == name
    assert (await fitted(name).read(CASES[0])).agent == name


@pytest.mark.parametrize("name", REAL)
async def test_what_cannot_be_judged_is_an_abstention_with_its_cause(name):
    """No image, and nothing to be found in the store either."""
    agent = fitted(name, embedder=BrokenImages(), retriever=ScriptedRetriever(NOTHING))
    answers = [(await agent.read(CASES[0]), 1)]
    if isinstance(agent, Reconsiders):
        answers.append((await agent.reconsider(CASES[0], NOTHING), 2))
    for answer, turn in answers:
        assert isinstance(answer, Abstention)
        assert (answer.agent, answer.round) == (name, turn)
        assert answer.cause in {"image", "no-evidence"}
        assert answer.detail


@pytest.mark.parametrize("name", LEARNING)
async def test_an_unfitted_agent_abstains_and_has_nothing_to_save(name):
    agent = AGENTS.get(name)(context())
    answer = await agent.read(CASES[0])
    assert isinstance(answer, Abstention)
    assert answer.cause == "not-fitted"
    with pytest.raises(NotFitted, match="fit the"):
        agent.state()


@pytest.mark.parametrize("name", LEARNING)
async def test_what_was_learned_survives_json_and_arrays(name):
    agent = fitted(name)
    settings, arrays = agent.state()
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again = AGENTS.get(name)(context()).restore(json.loads(json.dumps(settings)), dict(loaded))
    for case in CASES[60:65]:
        assert (await again.read(case)).probabilities == pytest.approx((await agent.read(case)).probabilities)
        if isinstance(agent, Reconsiders):
            one, two = await again.reconsider(case, SUPPORT), await agent.reconsider(case, SUPPORT)
            assert one.probabilities == pytest.approx(two.probabilities)


@pytest.mark.parametrize("name", LEARNING)
async def test_fitting_again_forgets_what_was_learned_before(name):
    agent = fitted(name)
    agent.fit(X[30:80], Y[30:80])
    fresh = AGENTS.get(name)(context()).fit(X[30:80], Y[30:80])
    assert (await agent.read(CASES[85])).probabilities == pytest.approx((await fresh.read(CASES[85])).probabilities)


@pytest.mark.parametrize("name", LEARNING)
async def test_groups_may_be_given(name):
    groups = [f"plant {i // 3}" for i in range(60)]
    agent = AGENTS.get(name)(context()).fit(X[:60], Y[:60], groups)
    is_full_distribution(await agent.read(CASES[70]), name, 1)
