"""Evidence: the nearest labelled cases, never the case itself nor its group, and failures as values."""

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest
from kit import photo
from PIL import Image
from rag_support import ScriptedEncoder, bare_case, encoded, picture, units

from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.errors import ImageError, StoreError
from doubleread.core.evidence import Evidence
from doubleread.core.ports import Retriever
from doubleread.core.stored import StoredCase
from doubleread.core.task import Task
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.case_images import Images
from doubleread.rag.near_copies.copy_finder import CopyFinder, hash_picture
from doubleread.rag.near_copies.near_duplicates import NearRule, in_hex
from doubleread.rag.nearest_cases import NeighbourModel, Weighting
from doubleread.rag.retrieval import StoreRetriever
from doubleread.rag.stores.exact import ExactStore

TASK = Task.of("leaves", ["healthy", "rust", "scab"])
DIM = 8


class ScriptedEmbedder:
    """Gives each case the row it was told, or raises."""

    def __init__(self, rows=None, error=None):
        self.rows, self.error = rows or {}, error

    async def embed(self, case, views=(WHOLE,)):
        if self.error:
            raise self.error
        return np.stack([self.rows[case.id, name] for name in views])


def archive(n=60):
    """A store whose labels form clusters, and the embedder that knows its rows."""
    labels = np.arange(n) % 3
    rows = np.eye(3, DIM)[labels] + 0.15 * units(n, DIM)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    cases = [bare_case(i, TASK.names[labels[i]], group=f"g{i // 6}") for i in range(n)]
    store = ExactStore("enc-1", dim=DIM)
    store.add(cases, rows)
    return store, cases, ScriptedEmbedder({(c.id, WHOLE): row for c, row in zip(cases, rows, strict=True)})


async def test_the_evidence_of_a_new_case():
    store, cases, embedder = archive()
    new = bare_case(999, None)
    embedder.rows[new.id, WHOLE] = embedder.rows[cases[0].id, WHOLE]
    retriever: Retriever = StoreRetriever(store, embedder, TASK, k=7)
    found = await retriever.find(new)
    assert found.failure == ""
    assert found.neighbours[0].case_id == cases[0].id
    assert [one.similarity for one in found.neighbours] == sorted(
        (o.similarity for o in found.neighbours), reverse=True
    )
    assert len(found.neighbours) == 7
    for shares in (found.distribution, found.as_indexed):
        assert tuple(shares) == TASK.names
        assert sum(shares.values()) == pytest.approx(1)
    assert found.label == cases[0].label
    quality = found.quality
    assert quality.similarity == found.neighbours[0].similarity
    assert quality.agreement == sum(one.label == found.label for one in found.neighbours) / 7
    first, second = sorted(found.distribution.values())[:0:-1]
    assert quality.margin == pytest.approx(first - second)


async def test_those_who_ask_the_same_at_once_wait_for_one_answer(monkeypatch):
    store, cases, embedder = archive()
    retriever, times = StoreRetriever(store, embedder, TASK), []
    search = store.search
    monkeypatch.setattr(store, "search", lambda *given, **named: times.append(1) or search(*given, **named))
    first, second, other = await asyncio.gather(*(retriever.find(cases[i]) for i in (0, 0, 1)))
    assert first is second
    assert first.neighbours != other.neighbours
    assert len(times) == 2
    later = await retriever.find(cases[0])
    assert (later, len(times)) == (first, 3)
    fewer, wider = await asyncio.gather(retriever.finding(3).find(cases[0]), retriever.find(cases[0]))
    assert (len(fewer.neighbours), len(wider.neighbours)) == (3, 10)


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others():
    store, cases, embedder = archive()
    retriever = StoreRetriever(store, embedder, TASK)
    impatient, patient = (asyncio.create_task(retriever.find(cases[0])) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert len((await patient).neighbours) == 10


async def test_nearness_is_that_of_the_nearest_label_without_the_cases_own_group():
    store, cases, embedder = archive()
    own, far = cases[0], bare_case(999, None)
    embedder.rows[far.id, WHOLE] = np.eye(DIM, dtype=np.float32)[DIM - 1]  # no label lies in that direction
    retriever = StoreRetriever(store, embedder, TASK)
    familiar, unfamiliar = await retriever.find(own), await retriever.find(far)
    assert familiar.quality.nearness > unfamiliar.quality.nearness + 0.5
    rows = np.stack([embedder.rows[c.id, WHOLE] for c in cases])
    others = np.array([c.group != own.group for c in cases])
    stored = NeighbourModel().fit(rows, np.arange(len(cases)) % 3, [c.group for c in cases], 3)
    nearest = stored.nearness(rows[0], ~others)
    assert familiar.quality.nearness == pytest.approx(nearest.max(), abs=1e-5)
    assert nearest.argmax() == TASK.index(own.label)
    assert stored.shares(nearest) == pytest.approx(stored.distribution(rows[0], ~others))


async def test_contrast_finds_the_nearest_of_every_label_but_never_of_the_case_s_own_group():
    store, cases, embedder = archive()
    retriever: Retriever = StoreRetriever(store, embedder, TASK)
    found = await retriever.contrast(cases[0], ["scab", "healthy"], 3)
    assert [one.label for one in found] == ["scab"] * 3 + ["healthy"] * 3
    assert cases[0].group not in {one.group for one in found}
    rows = {case.id: embedder.rows[case.id, WHOLE] for case in cases}
    for part in (found[:3], found[3:]):
        others = [c for c in cases if c.label == part[0].label and c.group != cases[0].group]
        nearest = sorted((float(rows[c.id] @ rows[cases[0].id]) for c in others), reverse=True)[:3]
        assert [one.similarity for one in part] == pytest.approx(nearest)
    broken = StoreRetriever(store, ScriptedEmbedder(error=ImageError("corrupt", "cut short")), TASK)
    assert await broken.contrast(cases[0], ["scab"], 3) == ()


async def test_never_the_case_itself_nor_its_group():
    store, cases, embedder = archive()
    retriever = StoreRetriever(store, embedder, TASK, k=60)
    for case in cases[:8]:
        found = await retriever.find(case)
        assert {one.case_id for one in found.neighbours} == {c.id for c in cases if c.group != case.group}
        alone = await retriever.find(case.model_copy(update={"group": None}))
        assert {one.case_id for one in alone.neighbours} == {c.id for c in cases} - {case.id}


async def test_the_distribution_does_not_see_the_group_either():
    """Its group is the only one that carries its label: without it, that label has nothing to speak for it."""
    store, cases, embedder = archive()
    lone = [bare_case(500 + i, "scab", group="lone") for i in range(5)]
    rows = np.tile(np.eye(DIM, dtype=np.float32)[5], (5, 1))
    healthy = [case for case in cases if case.label != "scab"]
    store = ExactStore("enc-1", dim=DIM)
    store.add([*healthy, *lone], np.stack([*(embedder.rows[c.id, WHOLE] for c in healthy), *rows]))
    embedder.rows.update({(case.id, WHOLE): row for case, row in zip(lone, rows, strict=True)})
    retriever = StoreRetriever(store, embedder, TASK)
    seen = (await retriever.find(lone[0].model_copy(update={"group": None}))).distribution["scab"]
    unseen = (await retriever.find(lone[0])).distribution["scab"]
    assert seen > 0.5 > unseen


async def test_a_near_copy_and_its_group_are_the_case_itself(tmp_path):
    store, _, embedder = archive()
    picture = Case.from_file(photo(tmp_path / "own.png", 0, seed=1, side=128))
    Image.open(picture.path).resize((120, 120)).save(tmp_path / "copy.png")
    copy, mate = Case.from_file(tmp_path / "copy.png", label="rust", group="x"), bare_case(701, "rust", group="x")
    other = Case.from_file(photo(tmp_path / "other.png", 1, seed=2, side=128), label="rust")
    row = units(1, DIM)[0]
    embedder.rows[picture.id, WHOLE] = row
    hashes = [in_hex(hash_picture(one, Images())) for one in (copy, other)]
    stored = [
        StoredCase(case=case, added=datetime.now(UTC), perceptual_hash=told)
        for case, told in zip((copy, other, mate), (*hashes, ""), strict=True)
    ]
    store.put(stored, np.stack([row] * 3))
    finder = CopyFinder(NearRule(same_hash=0.9, like_hash=0.98), Images())
    found = await StoreRetriever(store, embedder, TASK, finder=finder).find(picture)
    assert [one.case_id for one in found.near_copies] == [copy.id]
    assert {copy.id, mate.id}.isdisjoint(one.case_id for one in found.neighbours)
    assert found.neighbours[0].case_id == other.id  # as near, and another picture
    without = await StoreRetriever(store, embedder, TASK).find(picture)
    assert {copy.id, mate.id, other.id} == {one.case_id for one in without.neighbours[:3]}
    assert without.distribution["rust"] > found.distribution["rust"]
    contrast = await StoreRetriever(store, embedder, TASK, finder=finder).contrast(picture, ["rust"], 60)
    assert {copy.id, mate.id}.isdisjoint(one.case_id for one in contrast)


async def test_hubs_are_told_and_the_version_of_the_store(tmp_path):
    """Two cases near to all others, and one off by itself."""
    turns = np.radians([*range(0, 90, 3), 44, 46])
    rows = np.zeros((33, DIM), np.float32)
    rows[:32, 0], rows[:32, 1], rows[32, 5] = np.cos(turns), np.sin(turns), 1
    store = ExactStore("enc-1", dim=DIM)
    store.add([bare_case(i, TASK.names[i % 3]) for i in range(33)], rows)
    middle, alone = bare_case(900, None), bare_case(901, None)
    embedder = ScriptedEmbedder({(middle.id, WHOLE): rows[30], (alone.id, WHOLE): rows[32]})
    retriever = StoreRetriever(store, embedder, TASK, k=1)
    found = {one.id: await retriever.find(one) for one in (middle, alone)}
    assert found[middle.id].quality.hubness > 0.2
    assert found[alone.id].quality.hubness < -2
    assert {one.archive for one in found.values()} == {store.version()}


def test_evidence_under_a_prior_is_by_hand():
    found = Evidence(neighbours=(), distribution={"healthy": 0.5, "rust": 0.25, "scab": 0.25})
    assert found.under({"healthy": 0.2, "rust": 0.8}) == pytest.approx({"healthy": 1 / 3, "rust": 2 / 3, "scab": 0})
    with pytest.raises(ValueError, match="leaves none of the labels healthy, rust, scab"):
        found.under({"oak": 1.0})


async def test_views_are_averaged_and_the_first_gives_the_neighbours():
    store, cases, embedder = archive()
    new = bare_case(999, None)
    embedder.rows[new.id, WHOLE] = embedder.rows[cases[0].id, WHOLE]
    embedder.rows[new.id, "centre"] = embedder.rows[cases[1].id, WHOLE]
    retriever = StoreRetriever(store, embedder, TASK)
    whole, centre, both = [await retriever.find(new, views) for views in ((WHOLE,), ("centre",), (WHOLE, "centre"))]
    assert both.neighbours == whole.neighbours
    for name in TASK.names:
        assert both.distribution[name] == pytest.approx((whole.distribution[name] + centre.distribution[name]) / 2)


@pytest.mark.parametrize("error", [ImageError("corrupt", "the image is cut short"), StoreError("disk gone")])
async def test_a_failure_is_a_value(error):
    store, cases, _ = archive()
    found = await StoreRetriever(store, ScriptedEmbedder(error=error), TASK).find(cases[0])
    assert (found.neighbours, found.distribution, found.failure) == ((), {}, str(error))


async def test_an_empty_store_is_a_failure_told():
    _, cases, embedder = archive()
    found = await StoreRetriever(ExactStore("enc-1", dim=DIM), embedder, TASK).find(cases[0])
    assert "holds no other case" in found.failure


async def test_a_store_of_another_task_is_a_failure_told():
    store, cases, embedder = archive()
    store.add([bare_case(700, "oak")], units(1, DIM))
    assert "oak" in (await StoreRetriever(store, embedder, TASK).find(cases[0])).failure


async def test_a_grown_store_is_noticed():
    store, _, embedder = archive()
    retriever = StoreRetriever(store, embedder, TASK, weighting=Weighting(temperature=0.1))
    new = bare_case(999, None)
    embedder.rows[new.id, WHOLE] = np.eye(DIM, dtype=np.float32)[6]
    before = (await retriever.find(new)).distribution["rust"]
    store.add([bare_case(800 + i, "rust") for i in range(5)], np.tile(embedder.rows[new.id, WHOLE], (5, 1)))
    assert (await retriever.find(new)).distribution["rust"] > before + 0.2


def test_refresh_gives_the_fitted_weighting():
    store, _, embedder = archive()
    assert StoreRetriever(store, embedder, TASK).weighting.temperature > 0


async def test_from_pixels_to_evidence():
    """The real parts together, on pictures whose colour is their label."""
    images, embedder_cases = Images(), []
    colours = {"healthy": (30, 160, 40), "rust": (190, 90, 20), "scab": (60, 60, 60)}
    for i in range(30):
        name = TASK.names[i % 3]
        noise = np.asarray(picture(i), float) * 0.2
        data = encoded(Image.fromarray(np.clip(noise + colours[name], 0, 255).astype(np.uint8)))
        case = bare_case(i, name)
        images.hold(case.id, data)
        embedder_cases.append(case)
    embedder = CachedEmbedder(ScriptedEncoder(), images)
    store = ExactStore("scripted-1", dim=DIM)
    store.add(embedder_cases[3:], embedder.embed_all(embedder_cases[3:]).embeddings[:, 0])
    retriever = StoreRetriever(store, embedder, TASK)
    assert [(await retriever.find(case)).label for case in embedder_cases[:3]] == list(TASK.names)
    embedder.close()
