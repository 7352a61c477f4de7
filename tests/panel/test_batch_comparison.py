"""Batches compared with calibration cases: synthetic ones, and real pictures before a panel."""

import json
import shutil

import numpy as np
import pytest
from kit import photo
from panel_kit import reseal
from PIL import Image

from doubleread.core.errors import PanelError
from doubleread.core.notices import DoublereadWarning
from doubleread.panel import Panel
from doubleread.panel._reference import FILE, Looked, PictureReference, whole_groups
from doubleread.panel.batch_comparison import FEWEST, LEVEL, compare, sampled
from doubleread.rag.images.picture_statistics import StatisticColumns

USUAL = StatisticColumns(0.5, 0.0, 0.0, 0.15, 0.2, 0.05, -0.05, 1.0, 1.0, 256.0)


def looked(seed, groups, size, *, grouped=True, shift=0.0, dim=16, **changed):
    """Pictures of so many groups; embeddings and statistics vary by group and by picture."""
    rng, n = np.random.default_rng(seed), groups * size
    rows = np.repeat(rng.normal(size=(groups, dim)), size, axis=0) + rng.normal(size=(n, dim)) + shift
    spread = np.exp(0.1 * (np.repeat(rng.normal(size=(groups, 10)), size, axis=0) + rng.normal(size=(n, 10))))
    statistics = np.array(USUAL._replace(**changed)) * spread
    said = rng.integers(0, 2, n)
    names = tuple(f"{seed}-{i // size}" for i in range(n)) if grouped else None
    return Looked(rows.astype(np.float32), statistics.astype(np.float32), said, names)


@pytest.fixture(scope="module")
def trusted():
    return looked(0, 30, 8)


def test_a_batch_of_new_groups_that_is_alike_is_let_through(trusted):
    found = [compare(looked(i, 8, 8), trusted) for i in range(1, 11)]
    assert sum(one.differs for one in found) <= 1
    assert all(one.auc is not None and not one.note for one in found)
    assert next(one for one in found if not one.differs).lines == ()


def test_a_batch_that_differs_is_told_with_numbers_and_what_follows(trusted):
    found = compare(looked(1, 8, 8, shift=3.0, brightness=0.2, contrast=0.06, colour=0.0), trusted)
    assert (found.differs, found.n, found.groups, found.trusted_groups) == (True, 64, 8, 30)
    assert found.p_value <= LEVEL
    assert {one.told for one in found.differences} >= {"darker", "grey"}
    said, todo = found.lines
    assert said.startswith("these images differ from the calibration images; they are ")
    assert "darker (brightness 0.2, was 0.5)" in said
    assert "calibrate again" in todo


def test_a_difference_that_no_statistic_shows_is_still_told(trusted):
    found = compare(looked(1, 8, 8, shift=3.0), trusted)
    assert (found.differs, found.differences) == (True, ())
    assert "simple statistics of the pictures do not tell in what" in found.lines[0]


def test_where_groups_of_the_batch_are_unknown_that_is_said(trusted):
    alike, other = (compare(looked(1, 10, 6, grouped=False, shift=shift), trusted) for shift in (0.0, 4.0))
    assert (alike.differs, other.differs, other.groups) == (False, True, None)
    assert "the groups of these pictures are unknown" in other.lines[-1]


def test_few_groups_are_judged_by_statistics_alone():
    trusted = looked(0, 9, 10)
    alike, other = (compare(looked(1, 1, 40, sharpness=sharp), trusted) for sharp in (1.0, 0.02))
    assert (alike.differs, other.differs, alike.auc, other.auc) == (False, True, None, None)
    assert [one.told for one in other.differences] == ["more blurred"]
    assert "too few groups" in alike.note
    assert len(alike.lines) == 1
    hardly = compare(looked(1, 1, 40), looked(0, 3, 10))
    assert (hardly.differs, hardly.p_value) == (False, None)
    assert "3 among the calibration cases, 1 in this batch" in hardly.note


def test_few_pictures_are_not_judged(trusted):
    assert compare(looked(1, 4, 5), trusted).note.startswith(f"fewer than {FEWEST}")


def test_of_a_large_batch_whole_groups_are_looked_at(trusted):
    groups = [f"g{i // 40}" for i in range(4000)]
    rows = sampled(groups, 4000, trusted)
    assert 460 <= len(rows) <= 500
    assert set(np.bincount(rows // 40)) == {0, 40}
    assert len(sampled(None, 4000, trusted)) == len(trusted) // 2
    alone = looked(0, 240, 1, grouped=False)
    assert sampled(groups, 4000, alone).tolist() == list(range(0, 4000, 40))
    assert len(whole_groups(["one"] * 50, 50, 20)) == 20


# -- before a panel -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """Twelve pictures a label that no panel has seen; and the same in grey, half as bright."""
    root = tmp_path_factory.mktemp("batches")
    clean = [
        photo(root / f"clean-{hue}-{i}.png", hue, seed=70_000 + 100 * hue + i) for hue in range(3) for i in range(12)
    ]
    grey = []
    for file in clean:
        with Image.open(file) as image:
            grey.append(file.with_name(file.name.replace("clean", "grey")))
            image.convert("L").point(lambda value: value // 2).convert("RGB").save(grey[-1])
    return clean, grey


def test_a_panel_warns_of_a_grey_batch_and_not_of_a_clean_one(made, quick, batches):
    with Panel.load(made, settings=quick) as panel:
        clean, grey = (list(panel.diagnose_many(batch)) for batch in batches)
        assert not panel.compare_batch(clean).lines
        found = panel.compare_batch(grey)
        assert {one.told for one in found.differences} >= {"grey", "darker"}
        assert panel.compare_batch(grey[:20]).auc is None


def test_a_verdict_warns_of_a_picture_that_shows_nothing(made, quick):
    with Panel.load(made, settings=quick) as panel:
        assert "the picture is practically black" in panel.diagnose(Image.new("RGB", (64, 64))).warnings


def test_a_picture_unlike_the_panels_is_named_in_its_verdict(panel, batches):
    clean, grey = (panel.diagnose(batch[0]) for batch in batches)
    assert "the image is much less colourful than the calibration images" in "; ".join(grey.warnings)
    assert grey.unfamiliar
    assert grey.posterior == {}
    assert not [one for one in clean.warnings if "picture" in one]


def test_a_panel_without_its_reference_loads_and_cannot_judge_batches(made, quick, batches, tmp_path):
    folder = shutil.copytree(made, tmp_path / "panel")
    (folder / FILE).unlink()
    reseal(folder)
    with Panel.load(folder, settings=quick) as panel:
        found = panel.compare_batch(panel.diagnose_many(batches[1]))
        assert (found.auc, found.n) == (None, 36)
        assert found.lines == (
            "this panel cannot judge batches: it keeps no pictures to compare them with; fit it again",
        )
    (folder / FILE).write_bytes(b"no archive")
    reseal(folder)
    with pytest.raises(PanelError, match=f"{FILE}.*fit it again"):
        Panel.load(folder, settings=quick)


def test_the_reference_comes_back_as_it_was_saved(tmp_path, trusted):
    reference = PictureReference.of(trusted.statistics, trusted.groups, trusted)
    reference.save(tmp_path)
    again = PictureReference.load(tmp_path / FILE)
    assert again.calibration.groups == trusted.groups
    assert np.array_equal(again.usual.fences, reference.usual.fences)
    assert np.allclose(again.calibration.embeddings, trusted.embeddings, atol=0.01)


def test_evaluate_keeps_what_came_of_the_batch(made, quick, batches, tmp_path):
    from doubleread.evals.panel_evaluation import evaluate_panel

    for file in batches[1]:
        label = ("blue", "green", "red")[int(file.stem.split("-")[1])]
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "data" / label)
    with Panel.load(made, settings=quick) as panel:
        judged = evaluate_panel(panel, tmp_path / "data", out=tmp_path / "run")
    assert judged.evaluation.batch.differs
    assert any("these images differ" in warning for warning in judged.evaluation.warnings)
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["batch"]["differs"]
    assert "these images differ" in (tmp_path / "run" / "summary.md").read_text()
    assert "these images differ" in judged.report.read_text()


def test_diagnose_warns_of_a_batch_on_stderr_and_leaves_the_lines_of_json_alone(made, batches, capsys):
    from doubleread.cli.cmd_diagnose import diagnose

    with pytest.warns(DoublereadWarning, match="these images differ from the calibration images"):
        diagnose(list(map(str, batches[1])), made, json=True)
    said = capsys.readouterr()
    assert [json.loads(line)["task"] for line in said.out.splitlines()] == ["photos"] * 36
