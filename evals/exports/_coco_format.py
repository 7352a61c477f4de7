"""COCO: ``annotations/instances_train.json`` beside ``images/train``, one annotation an image."""

import json

from doubleread.core.durable import write_text
from doubleread.evals.exports._export_parts import ExportDraft, ExportedCase, ExportFormat

ANNOTATIONS, IMAGES, NO_SPLIT = "annotations", "images", "default"
"""CVAT calls the annotations of a data set without splits ``default``."""


def _place(split: str, label: str) -> str:  # noqa: ARG001 - the same for each label
    return f"{IMAGES}/{split}" if split else IMAGES


def _write(draft: ExportDraft) -> None:
    """A file for each split; every file has all categories, with the same ids."""
    (draft.folder / ANNOTATIONS).mkdir()
    numbers = {label: i for i, label in enumerate(draft.labels, start=1)}
    for split in sorted({one.split for one in draft.cases}):
        part = [one for one in draft.cases if one.split == split]
        content = {
            "info": {"description": f"{draft.name}, written by doubleread", "version": "1.0"},
            "licenses": [],
            "categories": [{"id": i, "name": name, "supercategory": ""} for name, i in numbers.items()],
            "images": [_image(i, one) for i, one in enumerate(part, start=1)],
            "annotations": [_annotation(i, one, numbers) for i, one in enumerate(part, start=1) if one.case.label],
        }
        file = draft.folder / ANNOTATIONS / f"instances_{split or NO_SPLIT}.json"
        write_text(file, json.dumps(content, ensure_ascii=False))


def _image(number: int, one: ExportedCase) -> dict[str, object]:
    width, height = one.size
    name = one.path.rpartition("/")[2]
    attributes = {**one.case.metadata, **one.facts}
    return {"id": number, "file_name": name, "width": width, "height": height, "attributes": attributes}


def _annotation(number: int, one: ExportedCase, numbers: dict[str, int]) -> dict[str, object]:
    """The label as a box around the whole image, since most tools read nothing without a box."""
    width, height = one.size
    category = numbers[str(one.case.label)]
    box = {"bbox": [0, 0, width, height], "area": width * height, "segmentation": [], "iscrowd": 0}
    return {"id": number, "image_id": number, "category_id": category, **box}


COCO = ExportFormat("annotations and images of each split; the box is the whole image", _place, _write, needs_size=True)
