"""A panel learns what its images were, maps deep ones by one range, and warns of other kinds."""

import json
import shutil
import warnings

import numpy as np
import pytest
from colour_kit import ADOBE, in_adobe
from kit import photo_folder
from panel_kit import edited
from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.notices import DoublereadWarning
from doubleread.core.picture_record import PictureRecord
from doubleread.core.verdict import Unread
from doubleread.evals.datasets import read_dataset
from doubleread.panel import Panel
from doubleread.panel.fitted_pictures import FittedPictures, learned_limits
from doubleread.settings import load_settings

FAST = {"panel": {"agents": ["logistic", "texture"]}, "trust": {"folds": 2}}


def deepened(root):
    """The same photographs in 12 of 16 bits, each with a brightness of its own."""
    for i, path in enumerate(sorted(root.rglob("*.png"))):
        grey = np.asarray(Image.open(path).convert("L"), np.uint16)
        path.unlink()
        Image.fromarray(grey * np.uint16(8 + i % 8)).save(path.with_suffix(".tif"))
    return root


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A panel fitted on 16-bit images, loaded from its folder, and the data."""
    root = tmp_path_factory.mktemp("deep")
    data = read_dataset(deepened(photo_folder(root / "photos", 8, ("dark", "light"))))
    settings = load_settings(None, {**FAST, "images": {"depth": "range"}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Panel.fit(data.cases, data.task, settings=settings) as fitted:
            fitted.save(root / "panel")
    with Panel.load(root / "panel") as panel:
        yield panel, data


def test_one_range_is_learned_for_all_images_and_kept(deep):
    panel, data = deep
    head = json.loads((panel.folder / "panel.json").read_text())
    largest = max(int(np.asarray(Image.open(case.path)).max()) for case in data.cases)
    assert head["pictures"]["limits"][1] == largest
    assert head["pictures"]["kinds"] == {"16-bit greyscale": 16}
    assert "-depth-" in head["fingerprint"]
    assert panel.image_policy.limits == tuple(head["pictures"]["limits"])


def test_a_verdict_says_what_its_picture_was(deep, tmp_path):
    panel, data = deep
    pixels = np.asarray(Image.open(data.cases[0].path)).copy()
    Image.fromarray(pixels[::-1].copy()).save(tmp_path / "new.tif")
    verdict = panel.diagnose(tmp_path / "new.tif")
    assert verdict.picture == PictureRecord(
        format="TIFF", mode="greyscale", bits=16, width=64, height=64, window=verdict.picture.window
    )
    assert verdict.picture.window == "{:g} to {:g}".format(*panel.image_policy.limits)
    assert type(verdict).model_validate_json(verdict.model_dump_json()).picture == verdict.picture


def test_images_of_another_kind_are_warned_of_once_a_batch(deep, tmp_path):
    panel, _ = deep
    for i, mode in enumerate(("RGB", "RGB", "CMYK")):
        Image.new(mode, (64, 64), i + 60).save(tmp_path / f"{i}.tif")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = list(panel.diagnose_many([tmp_path / f"{i}.tif" for i in range(3)]))
    told = [str(one.message) for one in said if issubclass(one.category, DoublereadWarning)]
    assert [line.split(",")[0] for line in told] == ["some images are CMYK", "some images are RGB"]
    assert any("fitted on 16-bit greyscale images only" in line for line in found[0].warnings)


def test_depth_that_is_not_allowed_leaves_the_image_out(deep, panel):
    _, data = deep
    (left,) = panel.diagnose_many([data.cases[0].path])
    assert isinstance(left, Unread)
    assert left.code == "high-bit-depth"
    with pytest.raises(ImageError, match=r"depth of \[images\]"):
        panel.diagnose(data.cases[0].path)


def test_percentiles_are_those_of_all_images(tmp_path):
    for i, top in enumerate((1000, 3000)):
        Image.fromarray(np.linspace(0, top, 4096).reshape(64, 64).astype(np.uint16)).save(tmp_path / f"{i}.png")
    cases = [Case.from_file(tmp_path / f"{i}.png", label="a") for i in range(2)]
    settings = load_settings(None, {"images": {"depth": "percentile"}})
    values = np.concatenate([np.linspace(0, top, 4096) for top in (1000, 3000)])
    assert learned_limits(cases, settings) == pytest.approx(tuple(np.percentile(values, (1, 99))), abs=2)
    assert learned_limits(cases, load_settings()) is None
    held_out = [case.model_copy(update={"split": "test"}) for case in cases]
    assert learned_limits(held_out, settings) is None


def test_a_panel_of_an_older_version_warns_of_profiles(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "old")
    edited(folder, "panel.json", lambda head: head.pop("pictures"))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    in_adobe(picture).save(tmp_path / "wide.png", icc_profile=ADOBE)
    picture.save(tmp_path / "plain.png")
    with Panel.load(folder) as old, Panel.load(saved) as new:
        assert any("fit the panel again" in line for line in old.diagnose(tmp_path / "wide.png").warnings)
        for panel, name in ((old, "plain.png"), (new, "wide.png"), (new, "plain.png")):
            assert not any("fit the panel again" in line for line in panel.diagnose(tmp_path / name).warnings)
        assert new.diagnose(tmp_path / "wide.png").picture.profile == "Adobe RGB (1998)"


def test_a_profile_that_cannot_be_used_is_said():
    broken = PictureRecord(
        format="JPEG", mode="RGB", bits=8, width=9, height=9, profile="a colour profile that cannot be used"
    )
    assert "taken for sRGB" in FittedPictures(kinds={"RGB": 3}).warnings(broken)[0]
    assert FittedPictures(kinds={"RGB": 3}).warnings(None) == ()
