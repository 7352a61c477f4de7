"""What every embedder and every retriever must do, the real ones and the scripted ones of the tests."""

import numpy as np
import pytest
from kit import TASK, ScriptedRetriever, TableEmbedder, case_of, clusters, evidence_for, photo
from rag_support import ScriptedEncoder

from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.errors import ImageError, StoreError
from doubleread.rag.cache import EncodingCache
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.case_images import Images
from doubleread.rag.images.image_views import CROPS
from doubleread.rag.retrieval import StoreRetriever
from doubleread.rag.stores.exact import ExactStore

X, Y = clusters(45)
CASES = [case_of(f"stored {i}", label=TASK.names[y], group=f"g{i // 3}") for i, y in enumerate(Y)]
TABLE = {case.id: X[i] for i, case in enumerate(CASES)}


@pytest.fixture(params=["cached", "uncached", "scripted"])
def embedder(request, tmp_path):
    if request.param == "scripted":
        yield TableEmbedder({picture(tmp_path).id: X[0]})
        return
    cache = EncodingCache(tmp_path / "cache", "scripted-1") if request.param == "cached" else None
    real = CachedEmbedder(ScriptedEncoder(), Images(), cache)
    yield real
    real.close()


def picture(folder):
    return Case.from_file(photo(folder / "one.png", 0, seed=1))


async def test_an_embedder_gives_one_unit_row_a_view_in_their_order(embedder, tmp_path):
    case, views = picture(tmp_path), (WHOLE, *CROPS)
    rows = await embedder.embed(case, views)
    assert rows.shape[0] == len(views)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(views)), abs=1e-5)
    assert (await embedder.embed(case))[0] == pytest.approx(rows[0])
    assert np.array_equal(await embedder.embed(case, views), rows)


@pytest.mark.parametrize("embedder", ["cached", "uncached"], indirect=True)
async def test_an_unreadable_image_is_an_image_error(embedder, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(ImageError):
        await embedder.embed(Case.from_file(tmp_path / "bad.png"))


@pytest.fixture(params=["store", "scripted"])
def retriever(request):
    if request.param == "scripted":
        return ScriptedRetriever(evidence_for("rust"))
    store = ExactStore("test", dim=X.shape[1])
    store.add(CASES, X)
    return StoreRetriever(store, TableEmbedder(TABLE), TASK, k=5)


async def test_a_retriever_gives_each_view_a_distribution_of_its_own(retriever):
    case = CASES[7]
    rows = await retriever.distributions(case, (WHOLE, "centre"))
    assert rows.shape == (2, len(TASK.names))
    assert rows.sum(axis=1) == pytest.approx(np.ones(2))
    found = (await retriever.find(case)).distribution
    assert rows[0] == pytest.approx(np.array([found[name] for name in TASK.names]))


async def test_without_other_cases_there_is_no_distribution():
    empty = StoreRetriever(ExactStore("test", dim=X.shape[1]), TableEmbedder(TABLE), TASK)
    with pytest.raises(StoreError, match="holds no other case"):
        await empty.distributions(CASES[7], (WHOLE,))


@pytest.mark.parametrize("views", [(WHOLE,), (WHOLE, "centre")])
async def test_a_retriever_finds_evidence_that_is_a_distribution(retriever, views):
    case = CASES[7]
    evidence = await retriever.find(case, views)
    assert len(evidence.neighbours) == 5
    assert case.id not in {neighbour.case_id for neighbour in evidence.neighbours}
    similarities = [neighbour.similarity for neighbour in evidence.neighbours]
    assert similarities == sorted(similarities, reverse=True)
    for shares in (evidence.distribution, evidence.as_indexed):
        assert set(shares) == set(TASK.names)
        assert sum(shares.values()) == pytest.approx(1)
    assert evidence.quality is not None


@pytest.mark.parametrize("retriever", ["store"], indirect=True)
async def test_a_retriever_never_gives_the_group_and_never_raises(retriever):
    found = await retriever.find(CASES[7])
    assert CASES[7].group not in {neighbour.group for neighbour in found.neighbours}
    lost = await retriever.find(case_of("never embedded"))
    assert lost.neighbours == ()
    assert lost.failure
