"""No front end hides a warning that another shows: command line, Python, notebook cards, reports and saved panels."""

import html
import re
import warnings

import pytest
from kit import photo_folder, unspaced

from doubleread.core.notices import DoublereadWarning
from doubleread.core.progress import silent
from doubleread.evals.datasets import read_dataset
from doubleread.evals.panel_evaluation import evaluate_panel
from doubleread.panel import Panel
from doubleread.settings import load_settings
from doubleread.web.pages import Lists, PanelFacts, page

AGENTS = "logistic,neighbours"


@pytest.fixture
def faulty(tmp_path):
    """No groups, an empty file, a file that is no image, a table that is not read, and one picture twice."""
    folder = photo_folder(tmp_path / "photos", 6, ("blue", "red"))
    (folder / "red" / "empty.jpg").touch()
    (folder / "red" / "broken.jpg").write_bytes(b"not an image")
    (folder / "labels.csv").write_text("path,label\n")
    (folder / "red" / "copy.png").write_bytes((folder / "red" / "red-000.png").read_bytes())
    return folder


def recorded(caught):
    return [str(one.message) for one in caught if one.category is DoublereadWarning]


@pytest.fixture
def fitted(faulty, offline):
    """What Python hears: the data set, the panel, and the warnings."""
    settings = load_settings(None, {"panel": {"agents": AGENTS.split(",")}})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = read_dataset(faulty, progress=silent)
        panel = Panel.fit(dataset.cases, dataset.task, settings=settings, progress=silent)
    with panel:
        yield dataset, panel, recorded(caught)


def test_python_hears_all_that_data_set_and_panel_know(fitted):
    dataset, panel, heard = fitted
    assert set(heard) == {*dataset.warnings, *panel.warnings}
    for text in ("no groups given", "empty.jpg: the file is empty", "broken.jpg", "labels.csv in this folder was not"):
        assert sum(text in one for one in set(heard)) == 1, text
    assert not set(dataset.warnings) & set(dataset.notes)
    assert not set(panel.warnings) & set(panel.notes)


def test_the_command_line_prints_the_same_warnings_once(fitted, faulty, doubleread, tmp_path):
    *_, heard = fitted
    ended = doubleread("fit", faulty, "-o", tmp_path / "panel", "--agents", AGENTS, "--test-share", "0")
    assert ended.code == 0
    assert len(re.findall("^! ", ended.err, flags=re.MULTILINE)) == len(set(heard))
    for text in set(heard):
        assert unspaced(ended.err).count(unspaced(f"! {text}")) == 1
    again = doubleread("diagnose", faulty / "red" / "copy.png", "--panel", tmp_path / "panel")
    assert "! " not in again.err  # what fitting said is not said with every verdict


def test_cards_saved_panels_and_reports_have_them_too(fitted, tmp_path):
    dataset, panel, heard = fitted
    cards = html.unescape(dataset._repr_html_() + panel._repr_html_())
    assert all(text in cards for text in heard)
    panel.save(tmp_path / "panel")
    other = photo_folder(tmp_path / "other", 3, ("blue", "red"))
    for i, one in enumerate(sorted(other.rglob("*.png"))):
        one.write_bytes(one.read_bytes() + bytes([i]))  # other files than the panel has learned from
    with warnings.catch_warnings(record=True) as caught, Panel.load(tmp_path / "panel") as loaded:
        warnings.simplefilter("always")
        assert set(loaded.warnings) == set(panel.warnings)
        assert recorded(caught) == []
        judged = evaluate_panel(loaded, other, out=tmp_path / "run", progress=silent)
    page = html.unescape(judged.report.read_text(encoding="utf-8"))
    assert all(text in page for text in (*recorded(caught), *panel.warnings))
    assert set(judged.evaluation.warnings) <= set(recorded(caught))


def test_the_browser_shows_them_before_the_first_image(fitted):
    _, panel, _ = fitted
    shown = html.unescape(start_page(PanelFacts.of(panel)))
    assert panel.warnings
    assert all(text in shown for text in panel.warnings)


def start_page(about):
    return page("start.html", about=about, lists=Lists((), ()), here="").body.decode()
