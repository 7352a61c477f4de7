"""Small defects: patches against the pooled embedding, both with good images only, and what patches cost.

The score of an image is its distance to good images: of the embedding, the cosine distance to the nearest one; of the
patches, the mean of the largest 5 % of their distances to the memory.
"""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.bench_panel import open_rgb
from benchmarks.data import solar_cells
from benchmarks.figure import Figure, Skipped
from benchmarks.harness import seconds
from benchmarks.ood_scoring import auroc
from benchmarks.small_defects import SIDE, Surface, surfaces
from doubleread.agents.anomaly_map import AnomalyMap
from doubleread.agents.patch_memory import fill
from doubleread.agents.patches import mean_of_largest
from doubleread.core.case import Case
from doubleread.core.errors import WeightsMissing
from doubleread.core.ports import EncodedImages, PatchEncoder
from doubleread.core.trust import Estimate
from doubleread.core.types import Embeddings, Vector
from doubleread.evals.splits import split
from doubleread.orchestrator.resampling import Indices, bootstrap
from doubleread.panel import Panel
from doubleread.rag.encoders import build
from doubleread.settings import Settings, load_settings

KNOWN, JUDGED = 60, 100
"""Good surfaces that are known, and surfaces of each kind that are judged."""
EVERY = 8
"""Of the pixels along each axis, one in so many counts for the pixel AUROC."""
TIMED, THINNED = 40, 6
"""Cells that are timed, and one cell in so many that the panels are fitted on: enough to fill the memory."""
LOCAL = ("discriminant", "logistic", "neighbours", "texture")

Marks: TypeAlias = NDArray[np.bool_]


class OneClass(NamedTuple):
    """Of the images judged: scores by embedding and by patches, ``(n,)``, and maps ``(n, rows, columns)``."""

    pooled: Vector
    patches: Vector
    maps: Embeddings


def small_defects() -> Iterator[Figure]:
    """Scratches and spots of 0.5 to 3 % of a generated surface."""
    judged = [*surfaces(JUDGED, 1, defective=False), *surfaces(JUDGED, 1, defective=True)]
    bad = np.repeat([False, True], JUDGED)
    found = _one_class([one.image for one in surfaces(KNOWN, 0, defective=False)], [one.image for one in judged])
    yield from _compared("small_defects", found, bad, None)
    yield Figure.of("small_defects.pixel_auroc", _pixel_auroc(found, judged), len(judged), "", "interval over images")


def solar_one_class() -> Iterator[Figure]:
    """Solar cells: only functional cells of half the modules are known, cells of the other modules are judged."""
    cases = solar_cells().cases
    modules = np.random.default_rng(0).permutation(sorted({str(case.group) for case in cases}))
    known = set(modules[: len(modules) // 2])
    good = [case for case in cases if case.group in known and case.label == "functional"]
    judged = [case for case in cases if case.group not in known]
    found = _one_class([open_rgb(case) for case in good], [open_rgb(case) for case in judged])
    bad = np.array([case.label == "defective" for case in judged])
    yield from _compared("solar_one_class", found, bad, [str(case.group) for case in judged], ">= 0.85")


def patches_cost() -> Iterator[Figure]:
    """Time of a diagnosis with the agent patches over that without it, measured side by side on new solar cells."""
    cases = split(solar_cells().cases[::THINNED], seed=0)
    tests = [case for case in cases if case.split == "test"][: TIMED + 1]
    folders = [_saved(cases, agents) for agents in (LOCAL, (*LOCAL, "patches"))]
    with Panel.load(folders[0], settings=_uncached()) as plain, Panel.load(folders[1], settings=_uncached()) as more:
        taken = [[seconds(partial(panel.diagnose, case)) for panel in (plain, more)] for case in tests][1:]
    ratios = np.array(taken)[:, 1] / np.array(taken)[:, 0]
    without = float(np.median(np.array(taken)[:, 0]))
    e = bootstrap(lambda rows: float(np.median(ratios[rows])), len(ratios))
    yield Figure.of("patches.cost_ratio", e, len(ratios), "<= 1.5", f"median of pairs; {without:.3f} s without")


@cache
def _encoder() -> PatchEncoder:
    try:
        encoder = build("efficientnet-lite0")
    except WeightsMissing as error:
        raise Skipped(str(error)) from None
    assert isinstance(encoder, PatchEncoder)
    return encoder


def _one_class(good: Sequence[Image.Image], judged: Sequence[Image.Image]) -> OneClass:
    known, new = _encoder().encode_patches(good), _encoder().encode_patches(judged)
    nobody = np.zeros(len(good), np.int64)
    memory = fill(known.patches, nobody, np.arange(len(good)), 1).memory
    maps = np.stack([memory.look(one).distances[0] for one in new.patches])
    scores = mean_of_largest(maps.reshape(len(maps), -1).astype(float))
    return OneClass(_far(known, new), scores, maps)


def _far(known: EncodedImages, new: EncodedImages) -> Vector:
    return np.asarray(1 - (new.embeddings @ known.embeddings.T).max(axis=1), float)


def _compared(
    name: str, found: OneClass, bad: Marks, groups: Sequence[str] | None, target: str = ""
) -> Iterator[Figure]:
    def of(scores: Vector) -> Estimate:
        return bootstrap(lambda rows: auroc(*_parted(scores[rows], bad[rows])), len(bad), groups=groups)

    def gain(rows: Indices) -> float:
        return auroc(*_parted(found.patches[rows], bad[rows])) - auroc(*_parted(found.pooled[rows], bad[rows]))

    n = len(bad)
    yield Figure.of(f"{name}.auroc.pooled", of(found.pooled), n, note=f"{int(bad.sum())} defective")
    yield Figure.of(f"{name}.auroc.patches", of(found.patches), n, target)
    yield Figure.of(f"{name}.gain", bootstrap(gain, n, groups=groups), n, "> 0", "paired")


def _parted(scores: Vector, bad: Marks) -> tuple[Vector, Vector]:
    return scores[~bad], scores[bad]


def _pixel_auroc(found: OneClass, judged: Sequence[Surface]) -> Estimate:
    sizes = [AnomalyMap("", one, np.inf).upsampled(SIDE, SIDE)[::EVERY, ::EVERY] for one in found.maps]
    values = np.stack(sizes).astype(float)
    masks = np.stack([one.mask[::EVERY, ::EVERY] for one in judged])
    return bootstrap(lambda rows: auroc(values[rows][~masks[rows]], values[rows][masks[rows]]), len(judged), draws=200)


def _saved(cases: Sequence[Case], agents: Sequence[str]) -> Path:
    folder = Path(mkdtemp(prefix="doubleread-bench-")) / "panel"
    settings = load_settings(None, {"panel": {"agents": agents}, "second_look": {"max_rounds": 1}})
    with Panel.fit(cases, solar_cells().task, settings=settings) as panel:
        panel.save(folder)
    return folder


def _uncached() -> Settings:
    return load_settings(None, {"encoder": {"cache_dir": mkdtemp(prefix="doubleread-bench-")}})
