"""Where agents looked: maps that peak where a label is known to come from, and say so where it comes from nowhere."""

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest
from kit import TASK, ScriptedAgent, case_of, opinion
from PIL import Image

from benchmarks.faithfulness import faithfulness
from doubleread.core.attribution import CELLS, LEAST_SCALE, WINDOW, WINDOWS, Attribution, window_cells
from doubleread.core.case import Case
from doubleread.core.errors import ImageError, TaskError, UnknownPart
from doubleread.core.opinion import Abstention, Opinion
from doubleread.orchestrator.course.seats import Seats
from doubleread.panel import Panel
from doubleread.panel.attribution_maps import VIEWS, attribute
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.case_images import Images
from doubleread.render.heat import heat
from doubleread.render.shown import ShownAttribution

PATCH = (slice(1, 2), slice(4, 5))
"""The cell that is red, and that the label ``rust`` comes from."""
SIDE = 120


class Cells:
    """An encoder that sees how red each cell is, and counts what it is shown."""

    fingerprint, dim = "cells", CELLS * CELLS

    def __init__(self):
        self.seen = 0

    def encode(self, images):
        self.seen += len(images)
        small = [image.resize((CELLS, CELLS), Image.Resampling.BOX) for image in images]
        return np.stack([np.asarray(one, np.float32)[..., 0].ravel() / 255 for one in small])


@dataclass
class PatchReader:
    """Finds rust as far as the patch is red, or, without ``looks``, whatever it is shown."""

    embedder: CachedEmbedder
    looks: bool = True
    name: str = "patch"

    async def read_views(self, case, views):
        red = (await self.embedder.embed(case, views)).reshape(len(views), CELLS, CELLS)[:, *PATCH].mean(axis=(1, 2))
        rust = 0.1 + 0.8 * red if self.looks else np.full(len(views), 0.7)
        return tuple(Opinion.from_vector(self.name, TASK, np.array([1 - p, p, 0]), "softmax") for p in rust)


@dataclass
class Mute:
    """Abstains."""

    name: str = "mute"

    async def read_views(self, case, views):
        return (Abstention(agent=self.name, cause="not-fitted", detail="it has seen nothing"),) * len(views)


class Uncalibrated:
    """An arbiter that takes opinions as they are."""

    task = TASK

    def calibrate(self, agent, opinions):
        return np.stack([one.vector(TASK) for one in opinions])


@dataclass
class Scene:
    case: Case
    encoder: Cells = field(default_factory=Cells)

    def __post_init__(self):
        self.embedder = CachedEmbedder(self.encoder, Images())

    async def ask(self, label="rust", agents=(), **options):
        asked = {one.name: one for one in agents or (PatchReader(self.embedder),)}
        return await attribute(self.case, asked, Uncalibrated(), label, **options)


@pytest.fixture
def scene(tmp_path):
    """A dark picture with a red patch."""
    pixels = np.full((SIDE, SIDE, 3), 20, np.uint8)
    rows, columns = (slice(one.start * SIDE // CELLS, one.stop * SIDE // CELLS) for one in PATCH)
    pixels[rows, columns, 0] = 250
    Image.fromarray(pixels).save(tmp_path / "patch.png")
    scene = Scene(Case.from_file(tmp_path / "patch.png"))
    yield scene
    scene.embedder.close()


def inside(row, column):
    return PATCH[0].start <= row < PATCH[0].stop and PATCH[1].start <= column < PATCH[1].stop


async def test_the_map_peaks_at_the_patch_that_the_label_comes_from(scene):
    (found,) = (await scene.ask()).maps
    assert found.before == pytest.approx(0.1 + 0.8 * 250 / 255, abs=0.01)
    assert inside(*np.unravel_index(found.cells.argmax(), (CELLS, CELLS)))
    region = found.takes
    assert region.left * CELLS <= PATCH[1].start
    assert PATCH[1].stop <= region.right * CELLS
    assert region.top * CELLS <= PATCH[0].start
    assert PATCH[0].stop <= region.bottom * CELLS
    assert region.place == "upper right"
    assert found.lowers.before - found.lowers.after == pytest.approx(found.drops.max())
    assert found.lowers.drop > 0.5
    told = f"covering the part at the upper right lowers it to {found.lowers.after:.1%}"
    assert found.line == f"patch gives rust {found.before:.1%}: {told}"


async def test_nothing_is_ascribed_to_windows_that_do_not_touch_the_patch(scene):
    (found,) = (await scene.ask()).maps
    touching = np.array([[window_cells(i, j)[PATCH].any() for j in range(WINDOWS)] for i in range(WINDOWS)])
    assert touching.sum() == WINDOW**2
    assert found.drops[touching].min() > 0.5
    assert found.drops[touching].sum() == pytest.approx(found.drops.sum(), rel=0.15)
    assert np.abs(found.drops[~touching]).max() < 0.06  # edges are soft: a neighbour's shows a little
    assert found.cells.sum() == pytest.approx(found.drops.sum(), rel=0.1)


@pytest.mark.parametrize("at", [(0, 0), (0, 3), (5, 5), (3, 0)])
async def test_an_edge_is_no_better_a_place_than_another(scene, at):
    asked = await scene.ask(agents=[PatchReader(scene.embedder, looks=False)])
    drops = np.array([[window_cells(i, j)[at] for j in range(WINDOWS)] for i in range(WINDOWS)]) * 0.5
    (flat,) = asked.maps
    found = flat.model_copy(update={"after": tuple(map(tuple, (flat.before - drops).tolist()))})
    assert np.unravel_index(found.cells.argmax(), (CELLS, CELLS)) == at
    assert found.cells.max() == pytest.approx(0.5)


async def test_what_speaks_against_a_label_is_told_and_not_coloured(scene):
    (found,) = (await scene.ask("healthy")).maps
    assert found.takes is None
    assert found.adds.place == "upper right"
    assert "raises it to" in found.line
    assert "lowers" not in found.line
    assert np.asarray(heat(found, LEAST_SCALE))[..., 3].max() == 0


async def test_a_label_that_comes_from_nowhere_has_a_flat_map(scene):
    asked = await scene.ask(agents=[PatchReader(scene.embedder, looks=False)])
    (found,) = asked.maps
    assert found.flat
    assert "the label does not rest on one place" in found.line
    assert (found.takes, found.adds) == (None, None)
    assert asked.scale == LEAST_SCALE
    assert np.asarray(heat(found, asked.scale))[..., 3].max() == 0


async def test_colours_are_on_one_scale_and_not_stretched(scene):
    class Weaker(PatchReader):
        async def read_views(self, case, views):
            strong = await super().read_views(case, views)
            shares = [0.3 + 0.1 * one.probabilities["rust"] for one in strong]
            return tuple(Opinion.from_vector(self.name, TASK, np.array([1 - p, p, 0]), "softmax") for p in shares)

    found = await scene.ask(agents=[PatchReader(scene.embedder), Weaker(scene.embedder, name="weaker")])
    strong, weak = (np.asarray(heat(one, found.scale))[..., 3].max() for one in found.maps)
    assert 0 < weak < strong / 4
    assert found.only(["weaker"]).scale == found.scale


async def test_agents_that_cannot_be_asked_have_no_map_and_it_is_said_why(scene):
    talker = ScriptedAgent("model", opinion("model", 0.2, 0.7, 0.1))
    found = await scene.ask(agents=[PatchReader(scene.embedder), talker, Mute()])
    assert [one.agent for one in found.maps] == ["patch"]
    assert "where it looked is not known" in found.without["model"]
    assert "it has seen nothing" in found.without["mute"]
    assert talker.asked == []


async def test_a_covered_image_is_encoded_once_for_all_agents_and_labels(scene):
    two = [PatchReader(scene.embedder), PatchReader(scene.embedder, name="other")]
    await scene.ask(agents=two)
    assert scene.encoder.seen == len(VIEWS)
    await scene.ask("scab", agents=two)
    assert scene.encoder.seen == len(VIEWS)


async def test_it_can_be_given_up_on_the_way(scene):
    asking = asyncio.create_task(scene.ask(progress=lambda stage, done, total: asking.cancel()))
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert scene.encoder.seen < len(VIEWS)


async def test_the_map_is_faithful_and_that_of_a_blind_reader_is_worth_nothing(scene):
    agents = {
        one.name: one for one in (PatchReader(scene.embedder), PatchReader(scene.embedder, looks=False, name="blind"))
    }
    seats = Seats(agents=agents, retriever=None, arbiter=Uncalibrated())
    seeing, blind = await faithfulness(scene.case, seats, "rust", np.random.default_rng(0))
    assert min(seeing.over_random.deletion, seeing.over_random.insertion) > 0.1
    assert min(seeing.over_centre.deletion, seeing.over_centre.insertion) > 0.1
    assert (blind.over_random.deletion, blind.over_centre.insertion) == pytest.approx((0, 0), abs=1e-9)


async def test_pictures_show_the_image_under_the_heat_and_say_the_numbers(scene, tmp_path):
    found = ShownAttribution.of_attribution(await scene.ask(agents=[PatchReader(scene.embedder), Mute()]))
    picture, plain = found.overlay("patch"), Image.open(scene.case.path)
    assert picture.size == plain.size
    away, there = (int(SIDE * 0.1), int(SIDE * 0.9)), (int(SIDE * 4.5 / CELLS), int(SIDE * 1.5 / CELLS))
    assert picture.getpixel(away) == plain.getpixel(away)
    assert picture.getpixel(there) != plain.getpixel(there)
    assert found.picture().width > plain.width
    assert str(found) == "\n".join(found.lines)
    assert Attribution.model_validate_json(found.model_dump_json()) == Attribution.model_validate(found.model_dump())
    with pytest.raises(UnknownPart, match="mute"):
        found.overlay("mute")
    with pytest.raises(ImageError, match="pass its image"):
        found.model_copy(update={"case": case_of("nowhere")}).picture()


# -- the front door -------------------------------------------------------------------------------------------------


def test_a_panel_tells_where_its_own_agents_looked(panel, dataset):
    case = next(one for one in dataset.cases if one.source.endswith("red-009.png"))
    verdict = panel.diagnose(case)
    told = []
    found = panel.attribute(verdict, progress=lambda stage, done, total: told.append((done, total)))
    assert found.label == verdict.label
    assert {one.agent for one in found.maps} | set(found.without) == set(panel.agents)
    assert told[-1] == (len(VIEWS), len(VIEWS))
    for one in found.maps:
        first = next(o for o in verdict.opinions if (o.agent, o.round) == (one.agent, 1))
        calibrated = panel._arbiter.calibrate(one.agent, [first])[0]
        assert one.before == pytest.approx(calibrated[panel.task.index(found.label)], abs=2e-3)
        if verdict.second_look is None:
            assert one.before == pytest.approx(verdict.calibrated[one.agent][found.label], abs=2e-3)


def test_another_label_is_asked_for_by_name_and_an_unknown_one_refused(panel, dataset):
    verdict = panel.diagnose(dataset.cases[-1])
    other = next(name for name in panel.task.names if name != verdict.label)
    assert {one.label for one in panel.attribute(verdict, label=other).maps} == {other}
    with pytest.raises(TaskError):
        panel.attribute(verdict, label="mildew")
    with pytest.raises(TaskError, match="name a label"):
        panel.attribute(verdict.model_copy(update={"posterior": {}}))


def test_an_image_that_is_gone_is_told(panel, tmp_path, dataset):
    verdict = panel.diagnose(dataset.cases[-1])
    gone = case_of("gone", path=tmp_path / "gone.png")
    with pytest.raises(ImageError):
        panel.attribute(verdict.model_copy(update={"case": gone}))


async def test_a_picture_in_memory_has_maps_too(panel: Panel, dataset):
    data = dataset.cases[-1].path.read_bytes()
    verdict = await panel.adiagnose(data)
    found = await panel.aattribute(verdict)
    assert found.maps
    assert found.overlay(found.maps[0].agent, Image.open(dataset.cases[-1].path)).mode == "RGB"
