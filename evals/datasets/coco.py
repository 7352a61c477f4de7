"""COCO annotations with one category an image, as COCO, Roboflow, CVAT and FiftyOne write them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from doubleread.core.errors import DataError
from doubleread.core.notices import Caution
from doubleread.evals.datasets._annotated_rows import Annotated, AnnotationFile, ImageLabel, one_label, plain_values
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

_Id = int | str


def is_coco(content: Any) -> bool:
    """Whether this is COCO with categories."""
    return isinstance(content, dict) and all(isinstance(content.get(name), list) for name in ("images", "categories"))


def read_coco(file: AnnotationFile, choice: ReadChoice = USUAL) -> Annotated:
    """The images of a COCO file with the category of their annotations; boxes and masks are not used.

    Attributes of the images and annotations become columns. Raises ``DataError`` for a file that breaks the format.
    """
    if (choice.label, choice.path) != (USUAL.label, USUAL.path):
        raise DataError(f"{file.file} has no columns: its labels are the categories; leave the column options out")
    names = _categories(file)
    labels: dict[_Id, set[str]] = defaultdict(set)
    values: dict[_Id, dict[str, str]] = defaultdict(dict)
    known = {_id(one) for one in _records(file, "images")}
    images = []
    for i, one in enumerate(_records(file, "annotations"), start=1):
        image, category = _id(one, "image_id"), _id(one, "category_id")
        if image not in known or category not in names:
            what = f"image {image!r}" if image not in known else f"category {category!r}"
            told = f"the file has no {what}"
            images.append(ImageLabel(f"{file.name}, annotation {i}", "", problem=told))
            continue
        labels[image].add(names[category])
        values[image] |= plain_values(one.get("attributes"))
    images += [_image(file, one, labels, values) for one in _records(file, "images")]
    return Annotated(images, _notes(file, names, {name for found in labels.values() for name in found}))


def _image(
    file: AnnotationFile, one: dict[str, Any], labels: dict[_Id, set[str]], values: dict[_Id, dict[str, str]]
) -> ImageLabel:
    key, name = _id(one), one.get("file_name")
    where = f"{file.name}, image {key}"
    if not isinstance(name, str):
        return ImageLabel(where, "", problem="it has no file_name")
    label, problem = one_label(labels.get(key, ()), none="it has no annotation", kind="categories")
    return ImageLabel(
        where, name, label, problem, plain_values(one.get("extra"), values.get(key), one.get("attributes"))
    )


def _categories(file: AnnotationFile) -> dict[_Id, str]:
    names: dict[_Id, str] = {}
    for one in _records(file, "categories"):
        key, name = _id(one), str(one.get("name", "")).strip()
        if names.setdefault(key, name) != name:
            raise DataError(f"{file.file} has two categories with the id {key!r}: {names[key]!r} and {name!r}")
    return names


def _records(file: AnnotationFile, name: str) -> Iterator[dict[str, Any]]:
    records = file.content.get(name) or []
    if not isinstance(records, list):
        raise DataError(f"{file.file}: {name!r} must be a list, not {type(records).__name__}")
    for i, one in enumerate(records, start=1):
        if not isinstance(one, dict):
            raise DataError(f"{file.file}: entry {i} of {name!r} must be an object, not {type(one).__name__}")
        yield one


def _id(record: dict[str, Any], name: str = "id") -> _Id:
    """An id; a value of another type becomes text."""
    value = record.get(name)
    return value if isinstance(value, int | str) else f"{value!r}"[:40]


def _notes(file: AnnotationFile, names: dict[_Id, str], used: set[str]) -> list[str]:
    """What was not used: boxes that cover a part of an image, and categories without images."""
    parents = {str(one.get("supercategory", "")).strip() for one in _records(file, "categories")}
    unused = [name for name in names.values() if name not in used]
    above, empty = [n for n in unused if n in parents], [n for n in unused if n not in parents]
    notes: list[str] = []
    if any(_is_part(one) for one in _records(file, "annotations")):
        notes.append("boxes and masks are not used")
    if above:
        notes.append(f"{file.name}: the super-category {', '.join(above)[:200]} is not a label")
    if empty:
        notes.append(Caution(f"{file.name}: no image has the category {', '.join(empty)[:200]}"))
    return notes


def _is_part(annotation: dict[str, Any]) -> bool:
    """Whether it marks a part of the image, and not the whole of it."""
    box = annotation.get("bbox")
    return bool(annotation.get("segmentation")) or (isinstance(box, list) and box[:2] not in ([], [0, 0]))
