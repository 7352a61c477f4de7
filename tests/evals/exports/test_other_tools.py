"""What is written for another tool is read by that tool itself, where it is installed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from exports_kit import LABELS, known, made
from verdicts_kit import verdict

from doubleread.evals.datasets import read_labelled
from doubleread.evals.exports import VerdictSource, export_cases


@pytest.fixture
def cases(tmp_path):
    return made(tmp_path / "in")


def said_by(package, program, *arguments):
    """What a program that uses a package prints as JSON, in a process of its own."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}: pip install {package}")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("PYTHONSAFEPATH", None)
    told = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment, check=False, capture_output=True, text=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    return json.loads(told.stdout.splitlines()[-1])


def expected(cases, split):
    return sorted((case.source, case.label) for case in cases if case.split == split)


def test_torchvision_reads_the_folders(tmp_path, cases):
    from torchvision.datasets import ImageFolder

    export_cases(cases, tmp_path / "out", "imagefolder")
    back = read_labelled(tmp_path / "out" / "manifest.csv").cases
    label = {case.path: case.label for case in back}
    for split, name in (("support", "train"), ("calibration", "val"), ("test", "test")):
        found = ImageFolder(tmp_path / "out" / name)
        assert len(found.classes) == len(LABELS)
        assert len(found) == sum(case.split == split for case in cases)
        labels = {(found.classes[k], label[Path(path)]) for path, k in found.samples}
        assert len(labels) == len(LABELS)  # each class is one label
        assert found[0][0].size == (8, 8)


def test_torchvision_reads_coco_through_pycocotools(tmp_path, cases):
    pytest.importorskip("pycocotools", reason="pip install -e '.[test]'")
    from torchvision.datasets import CocoDetection

    export_cases(cases, tmp_path / "out", "coco")
    for split, name in (("support", "train"), ("calibration", "val"), ("test", "test")):
        file = tmp_path / "out" / "annotations" / f"instances_{name}.json"
        found = CocoDetection(tmp_path / "out" / "images" / name, str(file))
        names = {one["id"]: one["name"] for one in found.coco.loadCats(found.coco.getCatIds())}
        told = []
        for i, key in enumerate(found.ids):
            image, (annotation,) = found[i]
            assert annotation["bbox"] == [0, 0, *image.size]
            source = found.coco.loadImgs(key)[0]["attributes"]["source"]
            told.append((source, names[annotation["category_id"]]))
        assert sorted(told) == expected(cases, split)


DATASETS = """
import json, sys
from datasets import load_dataset
files = {split: f"{sys.argv[1]}/{split}/**" for split in ("train", "val", "test")}
found = load_dataset("imagefolder", data_files=files, cache_dir=sys.argv[2])
print(json.dumps({name: [part.num_rows, part.features["label"].num_classes] for name, part in found.items()}))
"""


def test_the_datasets_library_reads_the_folders(tmp_path, cases):
    export_cases(cases, tmp_path / "out", "imagefolder")
    found = said_by("datasets", DATASETS, tmp_path / "out", tmp_path / "cache")
    n = len(cases) // 3
    assert found == {"train": [n, len(LABELS)], "val": [n, len(LABELS)], "test": [n, len(LABELS)]}


LABEL_STUDIO = """
import json, pathlib, sys
from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import PredictionValue
home = pathlib.Path(sys.argv[1])
config = (home / "config.xml").read_text(encoding="utf-8")
tasks = json.loads((home / "tasks.json").read_text(encoding="utf-8"))
interface = LabelInterface(config)
interface.validate()
wrong = [
    error
    for task in tasks
    for one in (*task.get("annotations", ()), *task.get("predictions", ()))
    for error in interface.validate_prediction(one, return_errors=True)
]
scores = [PredictionValue(**one).score for task in tasks for one in task.get("predictions", ())]
for n, task in enumerate(tasks, start=1):  # as an import numbers them
    task["id"] = n
    for one in task["annotations"]:
        one |= {"id": n, "completed_by": 1}
(home / "project.json").write_text(json.dumps(tasks), encoding="utf-8")
for format in ("JSON_MIN", "CSV"):
    Converter(config, str(home)).convert(str(home / "project.json"), str(home / format), format, is_dir=False)
print(json.dumps({"wrong": wrong, "scores": scores, "files": sorted(one.name for one in (home / "CSV").iterdir())}))
"""


def test_label_studio_takes_the_tasks_and_its_exports_are_read(tmp_path, cases):
    cases = [case.model_copy(update={"label": label}) for case, label in zip(cases, "ab" * len(cases), strict=False)]
    verdicts = {one.id: verdict("x", "a", 0.75).model_copy(update={"case": one}) for one in cases[:4]}
    export_cases(cases, tmp_path / "out", "label-studio", verdicts=VerdictSource("run", verdicts=verdicts))
    said = said_by("label_studio_sdk", LABEL_STUDIO, tmp_path / "out")
    assert said["wrong"] == []
    assert said["scores"] == [0.75] * 4
    names = ("label", "group", "subject", "split")
    for file in ("JSON_MIN/result.json", "CSV/result.csv", "project.json"):
        moved = (tmp_path / "out" / file).rename(tmp_path / "out" / Path(file).name)
        back = read_labelled(moved)
        assert known(back.cases, *names) == known(cases, *names)
        assert back.problems == ()


FIFTYONE = """
import json, sys
from fiftyone.utils.data.importers import FiftyOneImageClassificationDatasetImporter as Importer
told = {}
for name in ("labels.json", "predictions.json"):
    with Importer(dataset_dir=sys.argv[1], labels_path=name) as found:
        told[name] = [(path, one and [one.label, one.confidence, one["group"] if "group" in one else None])
                      for path, _, one in found]
print(json.dumps(told))
"""


def test_fiftyone_imports_labels_and_predictions(tmp_path, cases, monkeypatch):
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://127.0.0.1:1")  # the importer asks no database
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "true")
    verdicts = {one.id: verdict("x", "a", 0.75).model_copy(update={"case": one}) for one in cases[:4]}
    export_cases(cases, tmp_path / "out", "fiftyone", verdicts=VerdictSource("run", verdicts=verdicts))
    said = said_by("fiftyone", FIFTYONE, tmp_path / "out")
    where = {str(case.path): case for case in read_labelled(tmp_path / "out" / "manifest.csv").cases}
    told = {where[path].id: (label[0], label[2]) for path, label in said["labels.json"]}
    assert told == known(cases, "label", "group")
    guesses = {where[path].id: label for path, label in said["predictions.json"]}
    assert {key for key, label in guesses.items() if label} == verdicts.keys()
    assert all(label[:2] == ["a", 0.75] for label in guesses.values() if label)
