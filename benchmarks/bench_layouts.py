"""Layouts of image folders that people have: how they are read, or that they are refused with all readings."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.figure import Figure
from doubleread.core.errors import DataError
from doubleread.core.notices import already_said
from doubleread.evals.datasets import read_labelled

AB = ("rust", "scab")
_JUNK = ("README.txt", ".DS_Store", "@eaDir/thumb.jpg", "__MACOSX/._a.jpg", "Thumbs.db")


def each(*folders: str, n: int = 2) -> list[Path]:
    """Images in each of these folders."""
    return [Path(folder, f"{k}.jpg") for folder in folders for k in range(n)]


def splits(*names: str, labels: tuple[str, ...] = AB) -> list[Path]:
    """Images in folders of splits with folders of labels in them."""
    return [path for name in names for label in labels for path in each(f"{name}/{label}")]


READ: dict[str, tuple[list[Path], set[str], set[str | None], int | None]] = {
    "plain": (each(*AB), {"rust", "scab"}, {None}, 0),
    "Roboflow": (splits("train", "valid", "test"), {"rust", "scab"}, {"support", "calibration", "test"}, 0),
    "train and eval": (splits("train", "eval"), {"rust", "scab"}, {"support", "test"}, 0),
    "Training and Testing in a wrapper": (
        splits("Brain MRI/Training", "Brain MRI/Testing"), {"rust", "scab"}, {"support", "test"}, 0,
    ),
    "years": (splits("train2017", "val2017"), {"rust", "scab"}, {"support", "calibration"}, 0),
    "seg_train inside seg_train, with a folder of others": (
        splits("seg_train/seg_train", "seg_test/seg_test") + each("seg_pred/seg_pred"),
        {"rust", "scab"}, {"support", "test"}, 2,
    ),
    "Kaggle: test without labels": (splits("train") + each("test"), {"rust", "scab"}, {"support"}, 2),
    "Kaggle: test in a folder of its own": (splits("train") + each("test/test"), {"rust", "scab"}, {"support"}, 2),
    "Kaggle: unlabelled test beside a validation": (
        splits("train", "val") + each("test/unknown"), {"rust", "scab"}, {"support", "calibration"}, 2,
    ),
    "a further folder": (
        splits("train", "val") + each("runs/predict"), {"rust", "scab"}, {"support", "calibration"}, 2,
    ),
    "the data set again inside itself": (
        splits("train", "test") + splits("chest/train", "chest/test"), {"rust", "scab"}, {"support", "test"}, 8,
    ),
    "a stray picture": ([*each(*AB), Path("cover.jpg")], {"rust", "scab"}, {None}, 1),
    "a stray picture beside splits": (
        [*splits("train", "test"), Path("cover.jpg"), Path("train/x.jpg")], {"rust", "scab"}, {"support", "test"}, 2,
    ),
    "wrappers": ([*each("data/raw/rust", "data/raw/scab"), Path("data/logo.png")], {"rust", "scab"}, {None}, 1),
    "splits below labels": (
        splits("rust", "scab", labels=("train", "test")), {"rust", "scab"}, {"support", "test"}, 0,
    ),
    "a label that is in one split only": (
        splits("train", "test") + each("test/blight"), {"rust", "scab", "blight"}, {"support", "test"}, 0,
    ),
    "MVTec": (
        [*each("train/good", "test/good", "test/cut", "test/crack"), Path("ground_truth/cut/0_mask.png")],
        {"good", "cut", "crack"}, {"support", "test"}, None,
    ),
    "images and masks": (each("images/rust", "images/scab", "masks/rust", "masks/scab"), {"rust", "scab"}, {None}, 4),
    "images and named masks": (
        [*each("images/rust", "images/scab"), Path("masks/rust/0_mask.png"), Path("masks/scab/1_mask.png")],
        {"rust", "scab"}, {None}, 2,
    ),
    "faces with and without mask": (each("mask", "no_mask"), {"mask", "no_mask"}, {None}, 0),
    "vehicles with a train": (each("car", "bus", "train"), {"car", "bus", "train"}, {None}, 0),
    "vehicles with a train, in splits": (
        splits("train", "val", labels=("car", "train")), {"car", "train"}, {"support", "calibration"}, 0,
    ),
    "labels of other scripts": (each("健康", "锈病"), {"健康", "锈病"}, {None}, 0),
}  # fmt: skip

REFUSED: dict[str, tuple[list[Path], list[str]]] = {
    "splits without labels": (each("train", "test", "valid"), ["label_level=1", "manifest"]),
    "two splits beside a folder": (each("train", "test", "extra"), ["label_level=1", "manifest"]),
    "a test folder beside labels": (each("rust", "scab", "test"), ["label_level=1", "manifest"]),
    "plant/disease": (splits("apple", "grape"), ["label_level=1", "label_level=2", "labels apple, grape"]),
    "label/plant": (each("rust/p1", "rust/p2", "scab/p3", "scab/p4"), ["label_level=1", "label_level=2"]),
    "folds": (splits("fold1", "fold2"), ["label_level=1", "label_level=2"]),
    "one label with sub-folders": (each("rust/old", "rust/new", "scab"), ["label_level=1", "2 images are left out"]),
    "splits that disagree": (splits("train") + splits("test", labels=("x", "y")), ["label_level=1", "label_level=2"]),
    "splits and a further folder with labels": (
        splits("train", "val") + each("augmented/rust"), ["label_level=1", "label_level=2"],
    ),
    "splits of plant/disease": (
        splits("train/apple", "train/grape", "test/apple", "test/grape"), ["label_level=2", "label_level=3"],
    ),
    "vehicles in day and night": (
        splits("car", "bus", "train", labels=("day", "night")), ["label_level=1", "label_level=2"],
    ),
    "splits of splits": (splits("train", "test", labels=("val", "test")), ["label_level=1", "label_level=2"]),
    "images and masks in each split": (
        each("train/images", "train/masks", "test/images", "test/masks"), ["label_level", "manifest"],
    ),
    "a data set for detection": (each("images/train", "images/val"), ["label_level=2", "manifest"]),
}  # fmt: skip


def layouts() -> Iterator[Figure]:
    """Every layout on disk, with files of tools beside the images: read as people mean it, or refused."""
    silent, lost = list[str](), 0
    for kind, (images, labels, names, _) in READ.items():
        with tempfile.TemporaryDirectory() as folder, already_said():
            files = _written(Path(folder), images)
            found = read_labelled(folder)
            right = {case.label for case in found.cases} == labels and {case.split for case in found.cases} == names
            silent += [] if right else [kind]
            lost += abs(files - len(found.cases) - sum(found.left_out.values()))
    for kind, (images, _) in REFUSED.items():
        with tempfile.TemporaryDirectory() as folder, already_said():
            _written(Path(folder), images)
            silent += [] if _refused(folder) else [kind]
    n = len(READ) + len(REFUSED)
    told = (
        f"{len(READ)} read, {len(REFUSED)} refused with all readings" if not silent else f"wrong: {', '.join(silent)}"
    )
    yield Figure(name="layouts.silently_wrong", value=len(silent), n=n, target="== 0", note=told)
    yield Figure(name="layouts.files_unaccounted_for", value=lost, n=len(READ), target="== 0", note="data sets read")


def _refused(folder: str) -> bool:
    try:
        read_labelled(folder)
    except DataError as error:
        return "label_level=" in str(error)
    return False


def _written(folder: Path, images: list[Path]) -> int:
    """Writes the images and files of tools; returns how many there are."""
    for number, path in enumerate((*images, *map(Path, _JUNK))):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / path, "PNG") if path.suffix == ".jpg" else (folder / path).write_text("x")
    return len(images) + len(_JUNK)


__all__ = ["layouts"]
