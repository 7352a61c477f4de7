"""A run judges subjects beside images: one verdict each, figures with n, and a section of the report."""

import json

import numpy as np
import pytest
from kit import photo

from doubleread.evals.datasets import read_labelled
from doubleread.evals.metrics.folders import evaluate_folder
from doubleread.evals.panel_evaluation import evaluate_panel
from doubleread.evals.runs.subject_rows import FILE, read_subjects
from doubleread.evals.splits import split


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Two new pictures of each of six plants, and one picture of a plant with two labels."""
    folder, rows = tmp_path_factory.mktemp("plants"), ["path,label,subject,group"]
    for plant in range(6):
        for i in range(2):
            name = photo(folder / f"{plant}-{i}.png", plant % 3, seed=7000 + 10 * plant + i).name
            rows.append(f"{name},{('blue', 'green', 'red')[plant % 3]},plant {plant},bed {plant // 2}")
    for i, label in enumerate(("blue", "green")):
        photo(folder / f"odd-{i}.png", i, seed=7900 + i)
        rows.append(f"odd-{i}.png,{label},odd,bed 9")
    rows.append(f"{photo(folder / 'alone.png', 2, seed=7990).name},red,,bed 8")
    table = folder / "plants.csv"
    table.write_text("\n".join(rows))
    return table


@pytest.fixture(scope="module")
def judged(panel, manifest, tmp_path_factory):
    return evaluate_panel(panel, read_labelled(manifest), out=tmp_path_factory.mktemp("runs") / "run")


def test_subjects_have_figures_of_their_own(judged):
    found = judged.evaluation.subjects
    assert (found.n, found.images, found.several, found.labelled, found.clusters) == (7, 14, 7, 6, 4)
    assert found.committed + found.referred == found.n
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high
    assert judged.evaluation.n == 15


def test_the_gain_is_paired_with_the_subjects_own_images(judged):
    found, rows = judged.evaluation.subjects, read_subjects(judged.folder)
    labelled = [row for row in rows if row.case.label]

    def nll(verdict, label):
        return -np.log(verdict.scores[label])

    alone = [np.mean([nll(shot, row.case.label) for shot in row.verdict.shots]) for row in labelled]
    whole = [nll(row.verdict, row.case.label) for row in labelled]
    assert found.nll.value == pytest.approx(np.mean(whole))
    assert found.nll_gain.value == pytest.approx(np.mean(np.array(alone) - whole))


def test_summary_and_report_tell_of_subjects(judged):
    summary = (judged.folder / "summary.md").read_text()
    assert "One verdict a subject" in summary
    assert "of the 6 whose images have one true label" in summary
    page = judged.report.read_text()
    assert 'id="subjects"' in page
    assert "7 of 7 subjects with their images" in page
    assert "plant 0 · 2 images" in page
    assert json.loads((judged.folder / "evaluation.json").read_text())["subjects"]["n"] == 7
    assert "subject" in (judged.folder / "cases.csv").read_text().splitlines()[0].split(",")


def test_without_the_subjects_verdicts_a_warning_says_why(judged):
    kept = (judged.folder / FILE).read_bytes()
    (judged.folder / FILE).unlink()
    try:
        found = evaluate_folder(judged.folder)
    finally:
        (judged.folder / FILE).write_bytes(kept)
    assert found.subjects is None
    assert any("the 7 subjects have no verdict of their own" in line for line in found.warnings)


def test_splits_never_divide_a_subject(manifest):
    cases = [case.model_copy(update={"group": None}) for case in read_labelled(manifest).cases]
    sides = {}
    for case in split(cases, fractions={"support": 0.5, "test": 0.5}, seed=0):
        sides.setdefault(case.subject or case.id, set()).add(case.split)
    assert all(len(splits) == 1 for splits in sides.values())
