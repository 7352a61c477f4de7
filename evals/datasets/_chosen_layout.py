"""The layout of a folder of images: as it was chosen, or else as it is recognised."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from doubleread.core.errors import DataError
from doubleread.evals.datasets._groups import group_key
from doubleread.evals.datasets.folder_layout import UNLABELLED, FolderLayout, Place, read_layout
from doubleread.evals.datasets.label_names import split_of_folder
from doubleread.evals.datasets.read_choice import ReadChoice


def layout_of(images: Sequence[Path], choice: ReadChoice) -> FolderLayout:
    """Places images by the pattern or the level of ``choice``, or else by ``read_layout``; raises ``DataError``."""
    if choice.label_pattern is not None:
        _check_pattern(choice.label_pattern)
        take = group_key(choice.label_pattern, (), "path", what="label")
        return _chosen(images, lambda path: take({"path": path.as_posix()}) or "", None)
    if choice.label_level is not None:
        return _at_level(images, choice.label_level)
    return read_layout(images)


def _check_pattern(text: str) -> None:
    if not text.startswith("re:"):
        raise DataError(f"label {text!r}: write 're:' and a pattern, with the label in brackets, as in 're:/(.+)_'")


def _at_level(images: Sequence[Path], level: int) -> FolderLayout:
    """The folder at a level as the label, counted from 1 at the top or from -1 at the image."""
    deepest = max(len(path.parts) for path in images) - 1
    if not 1 <= abs(level) <= deepest:
        raise DataError(f"label_level={level}: the images are in at most {deepest} levels of folders; count from 1")

    def label(path: Path) -> str:
        folders = path.parts[:-1]
        return folders[level - 1 if level > 0 else level].strip() if abs(level) <= len(folders) else ""

    return _chosen(images, label, level)


def _chosen(images: Sequence[Path], label: Callable[[Path], str], level: int | None) -> FolderLayout:
    """The layout with labels that were chosen. A level of folders that all have names of splits gives the splits."""
    layout = FolderLayout()
    labelled = {path: label(path) for path in images}
    used = [path for path, name in labelled.items() if name]
    if not used:
        raise DataError(f"no label found in any of {len(images):,} paths, such as {images[0].as_posix()!r}")
    split = _split_level(used, level)
    for path, name in labelled.items():
        if name:
            layout.places[path] = Place(name, None if split is None else split_of_folder(path.parts[split]))
        else:
            layout.left_out[path] = UNLABELLED
    if split is not None:
        names = Counter(path.parts[split] for path in used)
        layout.notes.append("splits are the folders " + ", ".join(f"{one} ({split_of_folder(one)})" for one in names))
    return layout


def _split_level(images: Sequence[Path], level: int | None) -> int | None:
    depth = min((len(path.parts) - 1 for path in images), default=0)
    for at in range(depth):
        names = {path.parts[at] for path in images}
        is_label = level is not None and at in {level - 1, *(len(path.parts) - 1 + level for path in images)}
        if not is_label and len(names) > 1 and all(map(split_of_folder, names)):
            return at
    return None
