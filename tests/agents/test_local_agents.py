"""The local agents: what each of them makes of a case; ``contracts/test_agents.py`` holds what they have in common."""

import numpy as np
import pytest
from agents_support import CASES, BrokenImages, Phrases, X, Y, context, fitted, retrieved
from kit import TASK, ScriptedRetriever, evidence_for

from doubleread.agents.discriminant import Discriminant
from doubleread.agents.local_agents import AGENTS
from doubleread.agents.logistic import Logistic
from doubleread.agents.neighbours import Neighbours, describe
from doubleread.agents.zero_shot import ZeroShot
from doubleread.core.errors import NotFitted, UnknownPart
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Abstention


@pytest.mark.parametrize("name", ["zero-shot", "discriminant", "logistic"])
async def test_clear_cases_are_read_rightly(name):
    agent = fitted(name)
    answers = [await agent.read(case) for case in CASES[60:]]
    right = [a.label == case.label for a, case in zip(answers, CASES[60:], strict=True)]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("name", ["zero-shot", "discriminant", "logistic"])
async def test_an_unreadable_image_is_an_abstention_with_its_cause(name):
    answer = await fitted(name, embedder=BrokenImages()).read(CASES[0])
    assert isinstance(answer, Abstention)
    assert (answer.cause, answer.detail) == ("image", "the file ends too early")


async def test_zero_shot_abstains_without_a_text_tower():
    answer = await ZeroShot(context(text=None)).read(CASES[0])
    assert isinstance(answer, Abstention)
    assert answer.cause == "no-text-encoder"
    assert "CLIP" in answer.detail


@pytest.mark.parametrize("cls", [Discriminant, Logistic])
async def test_an_unfitted_agent_abstains_and_its_state_cannot_be_saved(cls):
    agent = cls(context())
    assert (await agent.read(CASES[0])).cause == "not-fitted"
    with pytest.raises(NotFitted, match="fit the"):
        agent.state()


@pytest.mark.parametrize("cls", [Discriminant, Logistic])
def test_retrieved_cases_join_the_support(cls):
    """Evidence of one label pulls the reading of that very case towards it."""
    agent = cls(context()).fit(X[:60], Y[:60])
    row = 61
    before = agent.log_posteriors(X[[row]])[0]
    for label in range(3):
        evidence = Evidence(
            neighbours=tuple(
                Neighbour(case_id=CASES[row].id, label=TASK.names[label], similarity=0.99) for _ in range(4)
            )
        )
        after = agent.log_posteriors_with(X[[row]], evidence)[0]
        assert after[label] > before[label] - 1e-9


@pytest.mark.parametrize("per_label", [1, 2, 3, 5])
def test_few_cases_a_label_still_give_a_usable_discriminant(per_label):
    agent = Discriminant(context(text=None)).fit(X[: 3 * per_label], Y[: 3 * per_label])
    accuracy = (agent.log_posteriors(X[60:]).argmax(axis=1) == Y[60:]).mean()
    assert accuracy > 0.7


def test_text_prototypes_fade_as_labelled_cases_come_in():
    def pull_of_the_text(n):
        with_text = Discriminant(context()).fit(X[:n], Y[:n]).log_posteriors(X[60:])
        without = Discriminant(context(text=None)).fit(X[:n], Y[:n]).log_posteriors(X[60:])
        return np.abs(with_text - without).mean()

    assert pull_of_the_text(6) > pull_of_the_text(18) > pull_of_the_text(60) > 0


async def test_label_phrases_are_encoded_once_for_all_agents_and_images():
    class Counting(Phrases):
        texts = 0

        def encode_text(self, texts):
            self.texts += len(texts)
            return super().encode_text(texts)

    text = Counting()
    shared = context(text=text)
    agents = [Discriminant(shared).fit(X[:60], Y[:60]), ZeroShot(shared)]
    for agent in agents:
        for case in CASES[60:64]:
            await agent.read(case)
            await agent.reconsider(case, retrieved(0, 1))
    assert text.texts == len(TASK.names)


async def test_neighbours_repeat_what_the_evidence_implies():
    answer = await Neighbours(context()).read(CASES[0])
    assert answer.probabilities == pytest.approx(evidence_for("rust").distribution)
    assert answer.confidence_source == "neighbours"
    assert "5 of the 5 most similar labelled images are rust" in answer.reason


def test_of_labels_that_are_equally_frequent_the_one_that_is_nearest_is_named():
    near = Evidence(
        neighbours=tuple(Neighbour(case_id=f"{i:064x}", label=x, similarity=0.9) for i, x in enumerate("cabbac"))
    )
    assert describe(near, 1).startswith("2 of the 6 most similar labelled images are c ")


async def test_neighbours_abstain_where_retrieval_failed():
    retriever = ScriptedRetriever(Evidence(neighbours=(), failure="the store is closed"))
    answer = await Neighbours(context(retriever=retriever)).read(CASES[0])
    assert (answer.cause, answer.detail) == ("no-evidence", "the store is closed")


def test_an_unknown_agent_is_named_with_the_known_ones():
    with pytest.raises(
        UnknownPart, match="unknown agent 'oracle'; known: discriminant, logistic, neighbours, patches, texture,"
    ):
        AGENTS.get("oracle")


@pytest.mark.parametrize("cls", [Discriminant, Logistic])
def test_prevalence_is_left_to_the_fusion(cls):
    """A prior in the task must not be counted by an agent and then once more by the fusion rule."""
    rare = TASK.model_copy(update={"prior": dict(zip(TASK.names, (0.98, 0.01, 0.01), strict=True))})
    plain, stated = (cls(context(task=task)).fit(X[:60], Y[:60]) for task in (TASK, rare))
    assert stated.log_posteriors(X[60:]) == pytest.approx(plain.log_posteriors(X[60:]))
