"""Agents that see something else than the encoder's embeddings: looked at for all, fitted on their own rows."""

import pytest

from doubleread.agents.texture import Texture
from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.panel.composition import VIEWS, open_eyes
from doubleread.panel.fitting import Pool
from doubleread.settings import load_settings


@pytest.fixture
def eyes(settings):
    eyes = open_eyes(settings)
    yield eyes
    eyes.close()


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    return Case.from_file(path)


def test_only_those_that_are_asked_for_are_opened(settings, eyes):
    assert set(eyes.sights) == {"texture"}
    few = load_settings(None, {"encoder": settings.encoder.model_dump(), "panel": {"agents": ["neighbours"]}})
    other = open_eyes(few)
    assert not other.sights
    other.close()


def test_rows_of_all_sights_are_of_the_same_cases(eyes, dataset, broken):
    told = []
    seen = eyes.embed_all([broken, *dataset.cases[:3]], VIEWS[:2], lambda *progress: told.append(progress))
    assert seen.kept == (1, 2, 3)
    assert seen.embeddings.shape == (3, 2, eyes.encoder.dim)
    assert seen.sights["texture"].shape == (3, 2, 642)
    assert [(one.source, one.code) for one in seen.unread] == [(broken.source, "not-an-image")]
    assert told == sorted(told)
    assert told[-1] == (4, 4)


def test_a_case_that_one_sight_alone_had_kept_is_left_out(settings, eyes, dataset, tmp_path):
    """Its encoding was cached before the file went away; the texture was not."""
    gone = tmp_path / "gone.png"
    gone.write_bytes(dataset.cases[0].path.read_bytes() + b"another picture")
    case = Case.from_file(gone)
    earlier = open_eyes(settings)
    earlier.embedder.embed_all([case])
    earlier.close()
    gone.unlink()
    seen = eyes.embed_all([case, dataset.cases[1]])
    assert (seen.kept, seen.embeddings.shape[0], seen.sights["texture"].shape[0]) == ((1,), 1, 1)
    assert [one.code for one in seen.unread] == ["missing"]


async def test_an_unreadable_image_is_an_image_error(eyes, broken):
    with pytest.raises(ImageError):
        await eyes.embed(broken)


def test_each_agent_learns_from_what_it_sees(fitted, eyes):
    support = fitted._fitted.support
    assert isinstance(support, Pool)
    agents = fitted._fitted.seated.agents
    assert support[[0, 1]].sights["texture"].shape == (2, 642)
    assert support.seen_by(agents["texture"]).shape == (24, 642)
    assert support.seen_by(agents["discriminant"]) is support.embeddings
    assert isinstance(agents["texture"], Texture)
    assert agents["texture"].state()[1]["whitening"].shape[0] == 642
