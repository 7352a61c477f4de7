"""An image is encoded once, whoever asks, however often."""

import asyncio

import numpy as np
import pytest
from rag_support import ScriptedEncoder, bare_case, encoded, image_case, picture

from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.errors import EncoderError, ImageError, UnknownPart
from doubleread.core.ports import Embedder
from doubleread.rag.cache import EncodingCache
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.case_images import Images
from doubleread.rag.images.image_views import CROPS


@pytest.fixture
def make(tmp_path):
    made = []

    def make_one(encoder, *, cached=False, images=None):
        cache = EncodingCache(tmp_path / "cache", encoder.fingerprint) if cached else None
        made.append(CachedEmbedder(encoder, images or Images(), cache))
        return made[-1]

    yield make_one
    for embedder in made:
        embedder.close()


async def test_one_row_per_view(make, tmp_path):
    encoder = ScriptedEncoder()
    embedder: Embedder = make(encoder)
    case = image_case(tmp_path, 1)
    views = (WHOLE, *CROPS)
    rows = await embedder.embed(case, views)
    assert (rows.shape, rows.dtype) == ((6, 8), np.float32)
    assert np.array_equal((await embedder.embed(case, ("centre",)))[0], rows[-1])
    assert encoder.encoded == 6


async def test_those_who_ask_at_once_share_one_encoding(make, tmp_path):
    encoder = ScriptedEncoder(seconds=0.1)
    embedder = make(encoder)
    case = image_case(tmp_path, 1)
    rows = await asyncio.gather(*(embedder.embed(case) for _ in range(20)), embedder.embed(case, (WHOLE, "centre")))
    assert encoder.encoded == 2
    assert all(np.array_equal(row[0], rows[0][0]) for row in rows)


async def test_one_who_gives_up_does_not_take_it_from_the_others(make, tmp_path):
    encoder = ScriptedEncoder(seconds=0.1)
    embedder = make(encoder)
    case = image_case(tmp_path, 1)
    impatient, patient = asyncio.create_task(embedder.embed(case)), asyncio.create_task(embedder.embed(case))
    await asyncio.sleep(0.02)
    impatient.cancel()
    assert (await patient).shape == (1, 8)
    assert encoder.encoded == 1


async def test_different_cases_share_batches(make, tmp_path):
    encoder = ScriptedEncoder(seconds=0.05)
    embedder = make(encoder)
    await asyncio.gather(*(embedder.embed(image_case(tmp_path, i)) for i in range(12)))
    assert encoder.encoded == 12
    assert len(encoder.batches) < 12


async def test_one_unreadable_case_takes_none_of_its_batch_along(make, tmp_path):
    encoder = ScriptedEncoder(seconds=0.05)
    embedder = make(encoder)
    cases = [image_case(tmp_path, i) for i in range(16)]
    cases[9] = bare_case(9, path=tmp_path / "gone.png")
    found = await asyncio.gather(*(embedder.embed(case) for case in cases), return_exceptions=True)
    assert [i for i, one in enumerate(found) if isinstance(one, ImageError)] == [9]
    assert encoder.encoded == 15
    assert len(encoder.batches) < 8
    alone = make(ScriptedEncoder())
    for case, rows in zip(cases, found, strict=True):
        if case is not cases[9]:
            assert np.array_equal(await alone.embed(case), rows)


async def test_the_disk_cache_outlives_the_embedder(make, tmp_path):
    case = image_case(tmp_path, 1)
    first = make(ScriptedEncoder(), cached=True)
    row = await first.embed(case)
    first.close()
    again = ScriptedEncoder()
    assert np.array_equal(await make(again, cached=True).embed(case), row)
    assert again.encoded == 0


async def test_cached_rows_of_another_length_are_not_believed(make, tmp_path):
    case = image_case(tmp_path, 1)
    cache = EncodingCache(tmp_path / "cache", ScriptedEncoder.fingerprint)
    cache.put_many({(case.id, WHOLE): np.ones(5, np.float32)})
    cache.close()
    assert (await make(ScriptedEncoder(), cached=True).embed(case)).shape == (1, 8)


async def test_an_unreadable_image_is_an_error_for_everyone_who_asked(make, tmp_path):
    embedder = make(ScriptedEncoder())
    case = bare_case(1, path=tmp_path / "gone.png")
    for found in await asyncio.gather(*(embedder.embed(case) for _ in range(3)), return_exceptions=True):
        assert isinstance(found, ImageError)
        assert found.code == "missing"


async def test_a_failure_is_not_remembered(make, tmp_path):
    encoder = ScriptedEncoder(error=EncoderError("out of memory"))
    embedder = make(encoder)
    case = image_case(tmp_path, 1)
    with pytest.raises(EncoderError, match="out of memory"):
        await embedder.embed(case)
    encoder.error = None
    assert (await embedder.embed(case)).shape == (1, 8)


async def test_an_unknown_view_is_an_error(make, tmp_path):
    with pytest.raises(UnknownPart, match="centre"):
        await make(ScriptedEncoder()).embed(image_case(tmp_path, 1), ("middle",))


async def test_an_image_held_in_memory_is_embedded(make):
    images = Images()
    images.hold(bare_case(1).id, encoded(picture()))
    assert (await make(ScriptedEncoder(), images=images).embed(bare_case(1))).shape == (1, 8)


def test_bulk_skips_what_cannot_be_read_and_says_so(make, tmp_path):
    cases = [image_case(tmp_path, i) for i in range(30)]
    cases[7] = bare_case(7, path=tmp_path / "gone.png")
    (tmp_path / "text.png").write_text("no image")
    cases[9] = Case.from_file(tmp_path / "text.png", source="9.png")
    told = []
    result = make(ScriptedEncoder()).embed_all(cases, progress=lambda done, total: told.append((done, total)))
    assert result.kept == tuple(i for i in range(30) if i not in {7, 9})
    assert result.embeddings.shape == (28, 1, 8)
    assert [(u.source, u.code) for u in result.unread] == [("7.png", "missing"), ("9.png", "not-an-image")]
    assert (told[0], told[-1]) == ((0, 30), (30, 30))


async def test_bulk_gives_the_same_rows_as_one_by_one(make, tmp_path):
    cases = [image_case(tmp_path, i) for i in range(11)]
    bulk = make(ScriptedEncoder()).embed_all(cases, (WHOLE, "centre"))
    single = make(ScriptedEncoder())
    for case, rows in zip(cases, bulk.embeddings, strict=True):
        assert np.array_equal(await single.embed(case, (WHOLE, "centre")), rows)


def test_bulk_encodes_a_case_given_twice_once(make, tmp_path):
    encoder = ScriptedEncoder()
    case = image_case(tmp_path, 1)
    assert make(encoder).embed_all([case, case]).kept == (0, 1)
    assert encoder.encoded == 1


def test_an_interrupted_run_goes_on_where_it_stopped(make, tmp_path):
    cases = [image_case(tmp_path, i) for i in range(40)]

    def stop(done, total):
        if done >= 16:
            raise KeyboardInterrupt

    first = make(ScriptedEncoder(), cached=True)
    with pytest.raises(KeyboardInterrupt):
        first.embed_all(cases, progress=stop)
    first.close()
    again = ScriptedEncoder()
    assert len(make(again, cached=True).embed_all(cases).kept) == 40
    assert again.encoded == 24


def test_bulk_of_nothing(make):
    assert make(ScriptedEncoder()).embed_all([]).embeddings.shape == (0, 1, 8)
