"""Recognises how a folder of images is laid out: wrappers, splits, labels, and images that have no label.

The structure decides. Folders with names of splits count as splits only where the folders in them agree, so that a
label may be called "train". Where several readings are possible, an error shows them and the argument that chooses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from doubleread.core.errors import DataError
from doubleread.core.notices import Caution
from doubleread.evals.datasets._folder_readings import no_labels, readings
from doubleread.evals.datasets._folder_tree import FolderTree
from doubleread.evals.datasets.label_names import split_of_folder

STRAY = "images beside the label folders"
UNLABELLED = "images without a label"
OUTSIDE = "images outside the split folders"
MASKS = "masks of other images"
_AGREEING = 0.5
"""Splits agree if they share this part of the labels of the one with fewer labels."""
_MASKS = frozenset({"mask", "masks", "ground_truth", "groundtruth", "gt", "annotations", "segmentation", "labels"})
_IMAGES = frozenset({"image", "images", "img", "imgs", "input", "inputs", "original", "originals", "rgb", "color"})


class Place(NamedTuple):
    """The label of an image, and its split if its folders name one."""

    label: str
    split: str | None = None


@dataclass
class FolderLayout:
    """The label and the split of every image, or the reason why it has none."""

    places: dict[Path, Place] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    label_homes: set[tuple[str, ...]] = field(default_factory=set)
    """The folders whose sub-folders are labels."""

    def leave_out(self, images: Iterable[Path], reason: str) -> None:
        self.left_out.update(dict.fromkeys(images, reason))

    def place_labels(self, home: FolderTree, split: str | None = None) -> None:
        """Takes the sub-folders of ``home`` as labels."""
        self.label_homes.add(home.parts)
        self.leave_out(home.images, STRAY)
        for label in home.inner.values():
            self.places.update(dict.fromkeys(label.all(), Place(label.name.strip(), split)))


def read_layout(images: Sequence[Path]) -> FolderLayout:
    """The layout of images, given by their paths relative to the data set.

    Raises ``DataError`` where there are no label folders, or where several readings are possible.
    """
    layout = FolderLayout()
    home = _opened(FolderTree.of(images), layout)
    if not home.inner or _holds_all(home):
        raise DataError(no_labels(images))
    if not (_splits_above(home, layout) or _splits_below(home, layout) or _labels_only(home, layout)):
        raise DataError(readings(images))
    return layout


def _opened(home: FolderTree, layout: FolderLayout) -> FolderTree:
    """The folder inside wrappers: single folders that hold all the others."""
    while True:
        _drop_masks(home, layout)
        only = next(iter(home.inner.values())) if len(home.inner) == 1 else None
        if only is None or not only.inner:
            return home
        layout.leave_out(home.images, STRAY)
        layout.notes.append(f"labels are below the folder {'/'.join(only.parts)}, the only one with images")
        home = only


def _holds_all(home: FolderTree) -> bool:
    """Whether the only folder is named for what all images are: ``images``, or a split."""
    only = next(iter(home.inner.values()))
    return len(home.inner) == 1 and (only.name.casefold() in _IMAGES or only.split is not None)


def _drop_masks(home: FolderTree, layout: FolderLayout) -> None:
    """Leaves out folders of masks: their files are named like those of images or splits beside them."""
    pictures = [one for one in home.inner.values() if one.name.casefold() in _IMAGES or one.split]
    stems = {path.stem for one in pictures for path in one.all()}
    for other in [one for one in home.inner.values() if stems and one.name.casefold() in _MASKS]:
        files = other.all()
        if 2 * sum(not stems.isdisjoint({path.stem, path.stem.rsplit("_", 1)[0]}) for path in files) >= len(files):
            layout.leave_out(files, MASKS)
            layout.notes.append(f"the folder {'/'.join(other.parts)} has masks of the images; it is not read")
            del home.inner[other.name]


def _splits_above(home: FolderTree, layout: FolderLayout) -> bool:
    """Reads split folders that hold label folders."""
    named = {one.name: _opened(one, layout) for one in home.inner.values() if one.split}
    others = [one for one in home.inner.values() if not one.split]
    labelled = {name: inner for name, inner in named.items() if inner.inner}
    main = _agreeing(labelled, alone=not others)
    labels = set[str]().union(*(inner.names for inner in main.values()))
    if not main or not _are_labels(labels) or any(inner.deep for inner in main.values()):
        return False
    if any(_shares(one, labels) for one in others):
        return False
    for name, inner in named.items():
        if name in main:
            layout.place_labels(inner, home.inner[name].split)
        else:
            layout.leave_out(home.inner[name].all(), UNLABELLED)
    layout.leave_out((path for one in others for path in one.all()), OUTSIDE)
    layout.leave_out(home.images, STRAY)
    layout.notes.append("splits are the folders " + ", ".join(f"{name} ({home.inner[name].split})" for name in main))
    return True


def _agreeing(labelled: dict[str, FolderTree], *, alone: bool) -> dict[str, FolderTree]:
    """The split folders whose labels agree; none if that is in doubt.

    A split whose only folder is no label elsewhere, as in ``test/unknown``, has no labels. A single split is enough if
    it is ``alone`` with splits that have no labels.
    """
    main = {name: inner for name, inner in labelled.items() if len(inner.inner) > 1 or _agrees(name, labelled)}
    if len(main) == 1:
        return main if alone else {}
    return main if all(_agrees(name, main) for name in main) else {}


def _agrees(name: str, labelled: dict[str, FolderTree]) -> bool:
    own = labelled[name].names
    other = set[str]().union(*(inner.names for one, inner in labelled.items() if one != name))
    return bool(other) and len(own & other) >= _AGREEING * min(len(own), len(other))


def _are_labels(names: set[str]) -> bool:
    """Whether the folders in splits may be labels: not ``images`` alone, and no splits again (a train is a thing)."""
    return not names <= _IMAGES and all(name == "train" or split_of_folder(name) is None for name in names)


def _shares(other: FolderTree, labels: set[str]) -> bool:
    """Whether a folder beside the splits holds labels of theirs, or is one."""
    return other.name.casefold() in labels or bool(other.names & labels)


def _splits_below(home: FolderTree, layout: FolderLayout) -> bool:
    """Reads label folders that hold nothing but split folders."""
    labels = list(home.inner.values())
    if any(one.split or one.deep or not one.inner for one in labels):
        return False
    if not all(inner.split for one in labels for inner in one.inner.values()):
        return False
    layout.label_homes.add(home.parts)
    layout.leave_out(home.images, STRAY)
    for one in labels:
        layout.leave_out(one.images, OUTSIDE)
        for inner in one.inner.values():
            layout.places.update(dict.fromkeys(inner.images, Place(one.name.strip(), inner.split)))
    layout.notes.append("splits are the folders in the label folders")
    return True


def _labels_only(home: FolderTree, layout: FolderLayout) -> bool:
    """Reads label folders that hold nothing but images."""
    named = [name for name, one in home.inner.items() if one.split]
    is_word = [name.casefold() for name in named] == ["train"] and len(home.inner) > 2
    if home.deep or any(one.inner for one in home.inner.values()) or (named and not is_word):
        return False
    layout.place_labels(home)
    layout.notes += [Caution(f"the folder {name} is read as a label, like those beside it") for name in named]
    return True
