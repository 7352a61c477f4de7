"""Near copies: how many changed copies are joined to their original, and how many unlike pictures are joined."""

import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.bench_panel import open_rgb
from benchmarks.data import leaves, solar_cells
from benchmarks.figure import Figure
from doubleread.core.case import Case
from doubleread.evals.datasets import Dataset
from doubleread.rag.images.case_images import Images
from doubleread.rag.near_copies.copy_finder import PictureSet, find_near_duplicates, look_at
from doubleread.rag.near_copies.near_duplicates import NearRule
from doubleread.rag.near_copies.thumbnails import Thumbnails

_ORIGINALS, _OTHERS, _FEATURELESS = 24, 200, 60
_TURN = Image.Transpose
_SEED = 2026


def _jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def _cropped(image: Image.Image) -> Image.Image:
    x, y = round(image.width * 0.08), round(image.height * 0.08)
    return image.crop((x, y, image.width, image.height))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "exact": lambda image: image,
    "jpeg": _jpeg,
    "resized": lambda image: image.resize((round(image.width * 0.7), round(image.height * 0.7))),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.6),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "flipped": lambda image: image.transpose(_TURN.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(_TURN.ROTATE_90),
    "cropped": _cropped,
}


def near_copies() -> Iterator[Figure]:
    """Leaves and solar cells, changed copies of some of them, and flat, dark, over-bright and graded pictures."""
    for name, dataset in (("leaves", leaves()), ("solar", solar_cells())):
        yield from _figures(name, dataset)


def _figures(name: str, dataset: Dataset) -> Iterator[Figure]:
    rng = np.random.default_rng(_SEED)
    chosen = [dataset.cases[i] for i in rng.choice(len(dataset.cases), _ORIGINALS + _OTHERS, replace=False)]
    with tempfile.TemporaryDirectory() as folder:
        cases, origin, change = _written(Path(folder), chosen, rng)
        found = _pairs(cases)
    joined = Counter(change[j] for i, j in found if origin[i] == origin[j] and change[i] == "")
    for told in CHANGES:
        yield Figure(
            name=f"near_copies.{name}.{told}",
            value=joined[told] / _ORIGINALS,
            n=_ORIGINALS,
            target=f">= {5 / 6:.3f}",
            note="share of changed copies joined to their original",
        )
    yield _precision(name, found, origin, [case.group for case in cases])


def _precision(
    name: str, found: Sequence[tuple[int, int]], origin: Sequence[int], groups: Sequence[str | None]
) -> Figure:
    """Of the joined pairs, those of one picture. Shots of one leaf or module are neither copies nor unlike."""
    wrong = [(i, j) for i, j in found if origin[i] != origin[j] and not (groups[i] and groups[i] == groups[j])]
    right = sum(origin[i] == origin[j] for i, j in found)
    unlike = sum(a != b for a, b in combinations(origin, 2))
    kin = len(found) - right - len(wrong)
    return Figure(
        name=f"near_copies.{name}.precision",
        value=right / max(right + len(wrong), 1),
        n=unlike,
        target=">= 0.99",
        note=f"{len(wrong)} of {unlike:,} unlike pairs are joined; {kin} more pairs of one group",
    )


def _written(folder: Path, chosen: Sequence[Case], rng: np.random.Generator) -> tuple[list[Case], list[int], list[str]]:
    """Pictures on disk: their cases, the number of the picture that each comes from, and how it was changed."""
    cases, origin, change = list[Case](), list[int](), list[str]()

    def add(image: Image.Image, number: int, how: str, group: str | None) -> None:
        file = folder / f"{len(cases):04}.png"
        image.save(file)
        cases.append(Case.from_file(file, group=group))
        origin.append(number)
        change.append(how)

    for number, case in enumerate(chosen):
        add(image := open_rgb(case), number, "", case.group)
        for how, changed in CHANGES.items() if number < _ORIGINALS else ():
            add(changed(image), number, how, case.group)
    for k in range(_FEATURELESS):
        add(_featureless(k, rng), len(chosen) + k, "", None)
    return cases, origin, change


def _featureless(kind: int, rng: np.random.Generator, side: int = 256) -> Image.Image:
    """A flat, dark, over-bright or graded picture with little noise, so that no two are the same file."""
    down, along = np.mgrid[:side, :side] / side
    grey = [
        np.full((side, side), rng.uniform(60, 200)),
        np.full((side, side), rng.uniform(0, 6)),
        np.full((side, side), rng.uniform(249, 255)),
        255 * (down * rng.uniform() + along * rng.uniform()) / 2,
    ][kind % 4]
    noisy = grey + rng.normal(0, (0.5, 2.0)[kind // 4 % 2], (side, side))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert("RGB")


def _pairs(cases: Sequence[Case]) -> list[tuple[int, int]]:
    images = Images()
    thumbnails = Thumbnails(images)
    looks = look_at(cases, images, thumbnails=thumbnails)
    rows = np.ones((len(cases), 1), np.float32)  # what the embeddings say is not used
    found = find_near_duplicates(PictureSet(tuple(cases), rows, looks), thumbnails, NearRule())
    return [(pair.first, pair.second) for pair in found.pairs]


__all__ = ["near_copies"]
