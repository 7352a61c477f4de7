"""What data sets, panels and results show when printed and in a notebook."""

import re

import pytest
from kit import photo

from doubleread.core.case import Case
from doubleread.core.task import Costs
from doubleread.core.verdict import Unread
from doubleread.evals.datasets import LabelledCases
from doubleread.panel.archives import find
from doubleread.render.html import style_sheet
from doubleread.render.overview import Overview, Tile


@pytest.fixture(scope="module")
def verdict(panel, tmp_path_factory):
    return panel.diagnose(photo(tmp_path_factory.mktemp("new") / "leaf.jpg", 2, seed=500))


def test_a_data_set_shows_sizes_warnings_and_pictures(dataset):
    assert repr(dataset) == "<Data set photos: 30 images>"
    lines = str(dataset).splitlines()
    assert lines[:2] == ["Data set photos: 30 images", "  labels  blue 10, green 10, red 10"]
    assert lines[-1].startswith("  ! no groups given")
    card = dataset._repr_html_()
    assert card.count('<img src="data:image/webp;base64,') == 9
    assert "no groups given" in card


def test_a_panel_shows_task_agents_trust_and_warnings(panel):
    assert repr(panel) == "<Panel photos: 3 labels: blue, green, red>"
    assert f"agents    {', '.join(panel.agents)}" in str(panel)
    assert "of 24 calibration images are right" in str(panel)
    card = panel._repr_html_()
    assert all(f"<td>{name}</td>" in card for name in {one.agent for one in panel.profiles} - {*panel.left_out})
    assert card.count('class="dr-warning"') == len(panel.warnings)


def test_results_are_no_raw_dumps(panel, saved, verdict):
    explained = panel.explain(verdict)
    assert repr(explained) == "<Explanation of the verdict on leaf.jpg>"
    assert all(line in str(explained) for line in explained.lines)
    assert explained._repr_html_().count("<li>") == len(explained.lines)
    assert "case" not in explained.model_dump()
    assert re.fullmatch(r"<Verdict on leaf.jpg: commit, red \d+\.\d%>", repr(verdict))
    then = panel.what_if(verdict, costs=Costs(referral=0.0))
    assert str(then).startswith("What if refer; probably red")
    found = find(saved / "store", verdict.case.path, k=3, settings=panel.settings)
    assert repr(found) == "<Similar cases 3 like leaf.jpg>"
    assert found._repr_html_().count("<img") == 3


def test_an_image_that_could_not_be_read_is_told_in_a_line():
    lost = Unread(source="a<b>.jpg", code="missing", problem="it is missing\x1b[2J")
    assert str(lost).startswith("∅ a<b>.jpg: it is missing")
    assert "\x1b" not in str(lost) + repr(lost)
    assert "a&lt;b&gt;.jpg" in lost._repr_html_()


def test_a_verdict_without_a_probability_shows_none(verdict):
    assert "%" not in repr(verdict.model_copy(update={"posterior": {}}))


def test_overviews_escape_and_cut():
    shown = Overview("Panel", "<b>\x1b[2J", warnings=("a", "b", "c", "d"), tiles=(Tile(None, "<i>"),))
    assert shown.text().splitlines()[1:] == ["  ! a", "  ! b", "  ! c", "  ! … and 1 more, see .warnings"]
    assert "\x1b" not in shown.text()
    assert "<b>" not in shown.html().replace(style_sheet(), "")
    assert "&lt;i&gt;" in shown.html()
    assert shown.html().count('class="dr-warning"') == 4


def test_cases_without_labels_have_an_overview_too():
    case = Case(id="0" * 64, source="memory")
    assert str(LabelledCases(name="x", cases=(case,))).startswith("Data set x: 1 images")


def test_cards_keep_their_lists_and_tables_under_the_styles_of_notebooks():
    """JupyterLab and nbconvert style ``ul:not(.list-inline)``, ``td`` and the like below one class of their own."""
    sheet = style_sheet()
    for rule in (".dr-card.dr-card ul,", ".dr-card.dr-card li { display: block;", ".dr-card.dr-card .dr-table"):
        assert rule in sheet
    for theme in ('[data-jp-theme-light="false"]', '[data-jp-theme-light="true"]', ".rendered_html"):
        assert theme in sheet
