"""The texture agent sees colour and texture only, whatever the encoder and the evidence say."""

import numpy as np
import pytest
from agents_support import CASES, BrokenImages, X, Y, context, retrieved
from kit import TASK, TableEmbedder

from doubleread.agents.discriminant import Discriminant
from doubleread.agents.texture import Texture
from doubleread.core.agent_ports import HasSight
from doubleread.core.errors import PanelError

OTHER = np.roll(X, 3, axis=1)
SIGHT = TableEmbedder({case.id: OTHER[i] for i, case in enumerate(CASES)})


async def test_it_reads_with_its_own_embedder():
    agent = Texture(context(embedder=BrokenImages(), texture=SIGHT)).fit(OTHER[:60], Y[:60])
    answers = [await agent.read(case) for case in CASES[60:]]
    assert np.mean([a.label == case.label for a, case in zip(answers, CASES[60:], strict=True)]) > 0.9


async def test_a_second_look_reads_the_crops_and_no_stored_vectors():
    def refuse(ids):
        raise AssertionError("the stored vectors are another encoder's")

    agent = Texture(context(texture=SIGHT, vectors=refuse)).fit(OTHER[:60], Y[:60])
    one, other = [await agent.reconsider(CASES[70], retrieved(*rows)) for rows in ((0, 3), (1, 2))]
    assert one.probabilities == other.probabilities
    assert one.reason.endswith(f"of 2 views of the image read {one.label}")


def test_phrases_say_nothing_of_texture():
    agent = Texture(context(texture=SIGHT)).fit(OTHER[:6], Y[:6])
    plain = Discriminant(context(text=None)).fit(OTHER[:6], Y[:6])
    assert np.array_equal(agent.log_posteriors(OTHER[60:]), plain.log_posteriors(OTHER[60:]))


def test_only_it_has_a_sight_of_its_own():
    assert isinstance(Texture(context()), HasSight)
    assert not isinstance(Discriminant(context()), HasSight)


def test_it_cannot_sit_where_nobody_looks_at_texture():
    with pytest.raises(PanelError, match="an embedder of colour and texture"):
        Texture(context(task=TASK, texture=None))
