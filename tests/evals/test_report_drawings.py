"""The drawings of a report: what they hold, where they lead, what they refuse."""

import re
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest

from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate, ReliabilityBin
from doubleread.evals.drawings import (
    ForestRow,
    Turns,
    confusion_matrix,
    forest_plot,
    histogram,
    reliability_diagram,
    risk_coverage_diagram,
    second_look_flow,
)
from doubleread.evals.drawings.histogram import short

SVG = "{http://www.w3.org/2000/svg}"
EVIL = """<b onclick="x">&' "label"""


def links(svg):
    """What each link says → where it leads."""
    return {a.get("aria-label"): parse_qs(a.get("href")[1:]) for a in ET.fromstring(svg).iter(f"{SVG}a")}


def words(svg):
    return [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_cells_hold_counts_and_lead_to_their_cases():
    svg = confusion_matrix(["rust", "scab"], [[8, 2], [0, 5]], title="t", reader="panel")
    assert links(svg) == {
        "8 of 10 cases that are rust were called rust (80 %)": {"by": ["panel"], "true": ["rust"], "said": ["rust"]},
        "2 of 10 cases that are rust were called scab (20 %)": {"by": ["panel"], "true": ["rust"], "said": ["scab"]},
        "5 of 5 cases that are scab were called scab (100 %)": {"by": ["panel"], "true": ["scab"], "said": ["scab"]},
    }
    assert {"8", "2", "5", "13 of 15 right"} <= set(words(svg))
    assert links(confusion_matrix(["rust", "scab"], [[8, 2], [0, 5]], title="t")) == {}


def test_a_hundred_labels_still_fit():
    labels = [f"label {i}" for i in range(100)]
    counts = [[3 if i == j else 0 for j in range(100)] for i in range(100)]
    svg = confusion_matrix(labels, counts, title="t", reader="panel")
    assert float(ET.fromstring(svg).get("width")) < 1200
    assert len(links(svg)) == 100
    assert "3" not in words(svg)  # no room for numbers: they show when the pointer rests


@pytest.mark.parametrize("counts", [[], [[1]], [[1, 2], [3]]])
def test_a_matrix_that_is_no_square_of_its_labels_is_refused(counts):
    with pytest.raises(DataError, match="2 labels needs 2 rows"):
        confusion_matrix(["a", "b"], counts, title="t")


def test_the_flow_of_a_second_look():
    svg = second_look_flow(Turns(20, 5, 1, 4), title="t", about="30 of 90", linked=True)
    assert links(svg) == {
        "right before and after: 20": {"show": ["looked,right,-helped"]},
        "wrong, then right: 5": {"show": ["helped"]},
        "right, then wrong: 1": {"show": ["harmed"]},
        "wrong before and after: 4": {"show": ["looked,wrong,-harmed"]},
    }
    assert {"21", "9", "25", "✓ helped 5", "✗ harmed 1"} <= set(words(svg))
    assert links(second_look_flow(Turns(0, 0, 0, 0), title="t", about="none", linked=True)) == {}


def test_bars_of_a_histogram_count_their_cases():
    svg = histogram([1.0, 1.0, 3.0, 2.0], title="t", unit="s", marks={"median": 1.5}, field="took")
    assert [int(re.search(r": (\d+) cases", told)[1]) for told in links(svg)] == [2, 1, 1]
    assert all(set(target) == {"took"} for target in links(svg).values())
    assert "median 1.50 s" in words(svg)


def test_a_histogram_over_magnitudes_is_logarithmic():
    assert "s, logarithmic" in words(histogram([0.01, 1.0, 100.0], title="t", unit="s", marks={}))
    assert "s" in words(histogram([1.0, 2.0], title="t", unit="s", marks={}))
    assert len(links(histogram([0.5] * 9, title="t", unit="s", marks={}, field="took"))) == 1
    assert len(links(histogram([0.0] * 9, title="t", unit="s", marks={}, field="took"))) == 1


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0, float("inf")]])
def test_a_histogram_of_nothing_is_refused(values):
    with pytest.raises(DataError, match="finite"):
        histogram(values, title="t", unit="s", marks={})


@pytest.mark.parametrize(("value", "said"), [(0.00123456, "0.00123"), (1.5, "1.50"), (1234.5, "1,234"), (0, "0")])
def test_short_numbers(value, said):
    assert short(value) == said


def test_groups_beside_the_whole():
    half = Estimate(value=0.5, low=0.4, high=0.6)
    rows = [
        ForestRow("site", 0, None, head=True),
        ForestRow("north", 12, half, "column=site&value=north"),
        ForestRow("south", 3, half, small=True),
        ForestRow("west", 1, None),
    ]
    svg = forest_plot(rows, title="t", about="a", whole=half)
    assert links(svg) == {"north: 50 % of 12 (40 % to 60 %)": {"column": ["site"], "value": ["north"]}}
    assert {"50 % (40.0–60.0)", "50 % (40.0–60.0) few cases", "no answers", "site"} <= set(words(svg))
    with pytest.raises(DataError, match="at least one row"):
        forest_plot([], title="t", about="a", whole=half)


def test_bins_lead_to_their_cases_only_where_a_reader_is_named():
    bins = (ReliabilityBin(low=14 / 15, high=1.0, n=10, confidence=0.97, accuracy=0.9),)
    svg = reliability_diagram(bins, title="t", ece=0.1, chance=0.0, n=10, reader="panel")
    assert list(links(svg).values()) == [{"by": ["panel"], "from": ["0.933333"], "to": ["1"]}]
    assert 'role="group"' in svg
    plain = reliability_diagram(bins, title="t", ece=0.1, chance=0.0, n=10)
    assert links(plain) == {}
    assert 'role="img"' in plain


def test_operating_points_lead_where_they_are_told_to():
    svg = risk_coverage_diagram(
        {"panel": ((0.5, 1.0), (0.0, 0.2))}, marks={"all": (1.0, 0.2)}, targets={"all": "show=wrong"}
    )
    assert links(svg) == {"all: 20.0 % wrong among the 100 % answered": {"show": ["wrong"]}}


def test_hostile_names_stay_names():
    for svg in (
        confusion_matrix([EVIL, "b"], [[1, 1], [1, 1]], title=EVIL, reader=EVIL),
        second_look_flow(Turns(1, 1, 1, 1), title=EVIL, about=EVIL),
        histogram([1.0, 2.0], title=EVIL, unit=EVIL, marks={EVIL: 1.0}, field="took"),
        forest_plot(
            [ForestRow(EVIL, 1, Estimate(value=1, low=1, high=1), EVIL)],
            title=EVIL,
            about=EVIL,
            whole=Estimate(value=1, low=1, high=1),
        ),
    ):
        root = ET.fromstring(svg)
        assert not [e for e in root.iter() if e.tag == "b" or any(key.startswith("on") for key in e.attrib)]
