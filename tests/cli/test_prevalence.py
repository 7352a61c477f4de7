"""``doubleread prevalence``, and the same in Python, with a real panel on small photographs."""

import json
import re
import shutil

import pytest
from kit import photo
from panel_kit import reseal

from doubleread.core.errors import PanelError
from doubleread.core.task import Label, Task
from doubleread.panel import Panel

pytestmark = pytest.mark.usefixtures("offline")


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Sixteen blue pictures and eight green ones, none of which a panel has seen, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("batch")
    for i in range(24):
        photo(folder / f"site-{i // 2}" / f"{i}.png", 0 if i < 16 else 1, seed=70_000 + i)
    (folder / "broken.png").write_bytes(b"not a picture")
    return folder


def test_the_answer_comes_first_and_says_what_to_do_with_it(doubleread, made, batch):
    ended = doubleread("prevalence", made, batch, "--group", r"re:(site-\d+)")
    assert ended.code == 0
    first = ended.out.splitlines()[0]
    assert re.fullmatch(r"About .* % \(.* to .* %\) of these 24 images are \w+; the panel assumes 33.* %\.", first)
    assert "95 % interval" in ended.out
    assert "broken.png" in ended.err
    assert "nothing was changed" in ended.err
    told = re.search(r"prior = \{ (.*) \}", " ".join(ended.err.split()))
    prior = {name: float(share) for name, share in (one.split(" = ") for one in told[1].split(", "))}
    assert Task(id="t", labels=tuple(Label(name=name) for name in prior), prior=prior)


def test_as_json(doubleread, made, batch):
    ended = doubleread("prevalence", made, batch, "--json")
    found = json.loads(ended.out)
    shares = {one["label"]: one["share"] for one in found["labels"]}
    assert shares == pytest.approx({"blue": 2 / 3, "green": 1 / 3, "red": 0}, abs=0.15)
    assert (found["images"], len(found["unread"])) == (24, 1)


def test_too_few_images_are_refused_with_exit_code_1(doubleread, made, batch):
    ended = doubleread("prevalence", made, batch / "site-1")
    assert ended.code == 1
    assert ended.out.startswith("No estimate for these 2 images: at least 20 readable images are needed")


def test_no_image_is_an_error(doubleread, made, tmp_path):
    ended = doubleread("prevalence", made, tmp_path)
    assert ended.code == 2
    assert "no image found" in ended.err


def test_images_that_the_panel_was_fitted_on_are_left_out(made, settings, dataset, batch):
    own = dataset.cases[0]
    with Panel.load(made, settings=settings) as panel:
        before = panel.task
        found = panel.prevalence([own, *sorted(batch.glob("site-*/*.png"))])
        assert panel.task == before
    assert (found.learned_from, found.images) == (1, 24)
    assert sum(found.shares.values()) == pytest.approx(1)


def test_a_panel_that_was_never_saved_estimates_too(fitted, batch):
    found = fitted.prevalence(sorted(batch.glob("site-*/*.png")))
    assert found.held_out == 24


def test_a_panel_without_readings_says_so(made, settings, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    (copy / "readings.jsonl").unlink()
    reseal(copy)
    with Panel.load(copy, settings=settings) as panel, pytest.raises(PanelError, match="keeps no readings"):
        panel.prevalence([])
