"""What to tell of a folder that can be read in several ways, or in none."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from doubleread.evals.datasets.label_names import split_of_folder

_MOST_NAMES = 5


def readings(images: Sequence[Path]) -> str:
    """All readings of a folder, and how to choose one."""
    levels = range(1, max(len(path.parts) for path in images))
    told = [_level(images, level) for level in sorted(levels, key=lambda level: _rank(images, level))]
    if len(levels) > 1:
        joined = sorted({"/".join(path.parts[:-1]) for path in images})
        told.append(f"label='re:(.+)/' (--label 're:(.+)/'): {_some(joined)}")
    lines = "\n".join(f"  {line}" for line in told if line)
    return f"it is not clear which folders are the labels. Choose one of these readings:\n{lines}{_unlabelled(images)}"


def no_labels(images: Sequence[Path]) -> str:
    """What to do about images that are not in folders of labels."""
    homes = {path.parent for path in images}
    where = f"the folder {next(iter(homes))}" if len(homes) == 1 and Path() not in homes else "the folder"
    return (
        f"{where} contains {len(images)} images but no sub-folder per label; sort them into one sub-folder per label, "
        f"give a manifest (CSV or JSONL with the columns path and label){_in_names(images)}"
    )


def _in_names(images: Sequence[Path]) -> str:
    """How to take labels from file names, if those begin with a word and end in a number."""
    found = [re.match(r"([^\W\d]+?)[ _.-]*\d+$", path.stem) for path in images]
    if not all(found):
        return ", or take the labels from the file names with label='re:…' (--label)"
    pattern = r"re:([^\W\d]+?)[ _.-]*\d+\.\w+$"
    labels = sorted({one[1] for one in found if one})
    return f", or take the labels from the file names with label={pattern!r} (--label), which gives {_some(labels)}"


def _names(images: Sequence[Path], level: int) -> dict[str, set[tuple[str, ...]]]:
    """The folders at a level, each with the folders that contain one of this name."""
    names: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for path in images:
        if len(path.parts) > level:
            names[path.parts[level - 1]].add(path.parts[: level - 1])
    return names


def _rank(images: Sequence[Path], level: int) -> tuple[bool, float]:
    """Sorts the more likely levels first: those whose names come again in several folders, and no names of splits."""
    names = _names(images, level)
    return all(map(split_of_folder, names)), -sum(map(len, names.values())) / len(names)


def _level(images: Sequence[Path], level: int) -> str:
    names = _names(images, level)
    if len(names) < 2:
        return ""
    missing = sum(len(path.parts) <= level for path in images)
    rest = f"; {missing:,} images are left out" if missing else ""
    return f"label_level={level} (--label-level {level}): {_some(sorted(names))}{rest}"


def _unlabelled(images: Sequence[Path]) -> str:
    """What to do if the folders are splits of images without labels."""
    levels = range(1, max(len(path.parts) for path in images))
    if not any(split_of_folder(name) for level in levels for name in _names(images, level)):
        return ""
    return (
        "\nIf they are splits and the images in them have no label folders, give a manifest (columns path, label and "
        "split), or take the labels from the file names with label='re:…' (--label)"
    )


def _some(names: Sequence[str]) -> str:
    more = f", … ({len(names):,} in all)" if len(names) > _MOST_NAMES else ""
    return f"labels {', '.join(names[:_MOST_NAMES])}{more}"
