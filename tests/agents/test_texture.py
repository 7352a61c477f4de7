"""The texture agent sees colour and texture only, whatever the encoder and the evidence say."""

import numpy as np
import pytest
from agents_support import CASES, BrokenImages, X, Y, context, retrieved
from kit import TableEmbedder

from doubleread.agents.context import Sight
from doubleread.agents.discriminant import Discriminant
from doubleread.agents.logistic import Logistic
from doubleread.agents.texture import Texture
from doubleread.agents.zero_shot import ZeroShot
from doubleread.core.agent_ports import TEXTURE

OTHER = np.roll(X, 3, axis=1)
SIGHT = Sight(TableEmbedder({case.id: OTHER[i] for i, case in enumerate(CASES)}))


def seen(sight=TEXTURE, **changes):
    """A context in which another encoder has another table of embeddings."""
    return context(sights={sight: SIGHT}, **changes).seen_with(sight)


async def test_it_reads_with_its_own_embedder():
    agent = Texture(seen(embedder=BrokenImages())).fit(OTHER[:60], Y[:60])
    answers = [await agent.read(case) for case in CASES[60:]]
    assert np.mean([a.label == case.label for a, case in zip(answers, CASES[60:], strict=True)]) > 0.9


async def test_a_second_look_reads_the_crops_and_no_stored_vectors():
    def refuse(ids):
        raise AssertionError("the stored vectors are another encoder's")

    agent = Texture(seen(vectors=refuse)).fit(OTHER[:60], Y[:60])
    one, other = [await agent.reconsider(CASES[70], retrieved(*rows)) for rows in ((0, 3), (1, 2))]
    assert one.probabilities == other.probabilities
    assert one.reason.endswith(f"of 2 views of the image read {one.label}")


def test_phrases_say_nothing_of_texture():
    agent = Texture(seen()).fit(OTHER[:6], Y[:6])
    plain = Discriminant(context(text=None)).fit(OTHER[:6], Y[:6])
    assert np.array_equal(agent.log_posteriors(OTHER[60:]), plain.log_posteriors(OTHER[60:]))


def test_it_has_a_sight_of_its_own_and_others_that_of_the_panel():
    assert (Texture(context()).name, Texture(context()).sight) == ("texture", TEXTURE)
    assert (Discriminant(context()).name, Discriminant(context()).sight) == ("discriminant", "")


@pytest.mark.parametrize("kind", [Discriminant, Logistic, ZeroShot])
def test_an_agent_with_another_encoder_is_named_after_it(kind):
    agent = kind(seen("dino"))
    assert (agent.name, agent.sight) == (f"{kind.name}@dino", "dino")
    assert kind.name == kind(context()).name


async def test_an_agent_with_another_encoder_reads_with_that_one_and_no_stored_vectors():
    def refuse(ids):
        raise AssertionError("the stored vectors are another encoder's")

    agent = Logistic(seen("dino", embedder=BrokenImages(), vectors=refuse)).fit(OTHER[:60], Y[:60])
    answers = [await agent.reconsider(case, retrieved(0, 3)) for case in CASES[60:]]
    assert {a.agent for a in answers} == {"logistic@dino"}
    assert np.mean([a.label == case.label for a, case in zip(answers, CASES[60:], strict=True)]) > 0.9


async def test_zero_shot_abstains_with_an_encoder_that_reads_images_only():
    answer = await ZeroShot(seen("dino")).read(CASES[0])
    assert (answer.agent, answer.cause) == ("zero-shot@dino", "no-text-encoder")
