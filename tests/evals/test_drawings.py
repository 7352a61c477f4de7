import re
from xml.etree import ElementTree as ET

import pytest

from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate, ReliabilityBin
from doubleread.evals.drawings import (
    MapPoint,
    ReliabilityPanel,
    Variation,
    archive_map,
    reliability_diagram,
    reliability_grid,
    risk_coverage_diagram,
    sweep_diagram,
)
from doubleread.orchestrator.metrics import wilson

SVG = "{http://www.w3.org/2000/svg}"


def bin_(low, n, confidence, accuracy):
    return ReliabilityBin(low=low, high=low + 0.1, n=n, confidence=confidence, accuracy=accuracy)


BINS = (
    bin_(0.0, 0, 0.05, 0.0),
    bin_(0.5, 100, 0.55, 0.56),
    bin_(0.7, 100, 0.75, 0.5),
    bin_(0.8, 1200, 0.85, 0.99),
    bin_(0.9, 3, 0.95, 0.0),
)


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]


def hints(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}title")]


def test_a_reliability_diagram_holds_its_numbers():
    svg = reliability_diagram(BINS, title="panel", ece=0.1234, chance=0.0211, n=1403, coverage=0.925)
    words = texts(svg)
    assert "ECE 0.123 · n = 1,403 · answered 92.5 %" in words
    assert any(word.startswith("chance level 0.021") for word in words)
    assert {"1,200", "100", "3"} <= set(words)
    low, high = wilson(50, 100)
    told = f"50 of 100 right = 50 % (95 % interval {100 * low:.1f} % to {100 * high:.1f} %)"
    assert any(told in (hint or "") for hint in hints(svg))


def test_marks_tell_over_from_under_confident_but_not_on_three_cases():
    svg = reliability_diagram(BINS, title="panel", ece=0.1, chance=0.02, n=1403)
    plot = svg.split("calibrated</text>")[0]
    assert len(re.findall(r'<polygon[^>]*dr-f2"', plot)) == 1
    assert len(re.findall(r'<polygon[^>]*dr-f3"', plot)) == 1
    assert len(re.findall(r'<circle[^>]*dr-f1"', plot)) == 3  # on the line, too few, and the legend


def test_a_mark_lies_where_its_numbers_say():
    svg = reliability_diagram([bin_(0.5, 10, 0.5, 0.5)], title="t", ece=0.0, chance=0.1, n=10)
    circle = next(e for e in ET.fromstring(svg).iter(f"{SVG}circle"))
    assert float(circle.get("cx")) == 58 + 380 / 2
    assert float(circle.get("cy")) == 88 + 380 / 2


def test_a_drawing_names_itself_and_needs_nothing_else():
    svg = reliability_diagram(BINS, title="panel", ece=0.1, chance=0.02, n=1403)
    root = ET.fromstring(svg)
    names = {element.get("id"): element.text for element in root if element.get("id")}
    assert names[root.get("aria-labelledby").split()[0]] == "panel"
    assert "confidence 75 %, right 50 %, n 100" in root.find(f"{SVG}desc").text
    assert "prefers-color-scheme:dark" in svg
    assert "<script" not in svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("bins", [(), (bin_(0.0, 0, 0.0, 0.0),)])
def test_no_cases(bins):
    assert "no cases" in texts(reliability_diagram(bins, title="t", ece=None, chance=None, n=0))


def test_two_cases():
    svg = reliability_diagram([bin_(0.9, 2, 1.0, 0.5)], title="t", ece=0.5, chance=0.0, n=2)
    assert "2" in texts(svg)
    assert "<polygon" not in svg.split("calibrated</text>")[0]


def test_hostile_and_endless_names_do_no_harm():
    title = 'a <script>&"\x00\x1b\ud800 ' + "long " * 60
    svg = reliability_diagram(BINS, title=title, ece=0.1, chance=0.02, n=3)
    assert "<script" not in svg
    assert any(word.endswith("…") for word in texts(svg))
    ET.fromstring(svg.encode())
    ET.fromstring(risk_coverage_diagram({title: ([1.0], [0.1])}).encode())


def test_a_grid_shows_every_agent_and_is_balanced():
    panels = [ReliabilityPanel(title=f"agent {i}", bins=BINS, ece=0.1, chance=0.02, n=9) for i in range(4)]
    svg = reliability_grid(panels, title="panel")
    assert {f"agent {i}" for i in range(4)} <= set(texts(svg))
    assert float(ET.fromstring(svg).get("width")) == 20 + 2 * 286
    assert float(ET.fromstring(reliability_grid(panels[:1], title="one")).get("width")) == 460


def test_a_grid_needs_a_panel():
    with pytest.raises(DataError, match="at least one panel"):
        reliability_grid([])


def test_a_grid_takes_plain_tuples_and_tells_the_floor_with_its_spread():
    words = texts(
        reliability_grid([("agent", BINS, 0.1, 0.02, 9), ReliabilityPanel("b", BINS, 0.1, 0.02, 9, 0.5, 0.04)])
    )
    assert "ECE 0.100 · n = 9" in words
    assert "chance level 0.020" in words
    assert "chance level 0.020 (95 %: 0.040)" in words


def test_risk_coverage_lines_lie_where_their_numbers_say():
    svg = risk_coverage_diagram(
        {"panel": ([0.5, 1.0], [0.0, 0.2]), "vote": ([1.0], [0.1])}, n=40, marks={"panel": (0.5, 0.0)}
    )
    lines = [e.get("points") for e in ET.fromstring(svg).iter(f"{SVG}polyline")]
    assert lines[0] == "249,322 440,72"
    assert {"panel", "vote", "20", "100"} <= set(texts(svg))
    assert any("n = 40" in word for word in texts(svg))
    assert "panel: 0.0 % wrong among the 50 % answered" in hints(svg)


def test_a_long_curve_is_thinned_and_its_shaky_start_does_not_set_the_scale():
    n = 5000
    coverage = [(i + 1) / n for i in range(n)]
    svg = risk_coverage_diagram({"panel": (coverage, [1.0] + [0.02] * (n - 1))})
    points = next(ET.fromstring(svg).iter(f"{SVG}polyline")).get("points").split()
    assert len(points) == 300
    assert "2" in texts(svg)
    assert "60" in texts(svg)
    assert not any(word == "3" for word in texts(svg))


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "at least one curve"),
        ({"a": ([0.1], [])}, "1 coverages and 0 risks"),
        ({"a": ([], [])}, "must pair up"),
        ({"a": ([0.1], [1.2])}, "between 0 and 1"),
        ({"a": ([0.1], [float("nan")])}, "between 0 and 1"),
    ],
)
def test_curves_that_cannot_be_drawn(curves, message):
    with pytest.raises(DataError, match=message):
        risk_coverage_diagram(curves)


# -- the map of an archive ----------------------------------------------------------------------------------------


def map_of(points):
    return archive_map(points, title="What looks alike <here>", caption="3 cases")


def test_a_map_keeps_distances_and_points_upwards():
    svg = map_of([MapPoint(0, 0, "a", "left"), MapPoint(4, 0, "a", "right & far"), MapPoint(0, 2, "a", "up")])
    drawn = {c.find(f"{SVG}title").text: c for c in ET.fromstring(svg).iter(f"{SVG}circle") if len(c)}
    left, right, up = (drawn[name] for name in ("left", "right & far", "up"))
    across = float(right.get("cx")) - float(left.get("cx"))
    assert across == 604
    assert float(left.get("cy")) - float(up.get("cy")) == across / 2


def test_every_label_has_a_mark_of_its_own_up_to_thirty_four():
    svg = map_of([MapPoint(i, i % 3, f"label {i:02}", f"case {i}") for i in range(40)])
    marks = [e for e in ET.fromstring(svg).iter() if (e.get("class") or "").startswith("dr-dot") and len(e)]
    looks = {(e.tag, e.get("class"), shape_of(e)) for e in marks}
    assert len(marks) == 40
    assert len(looks) == 35
    assert {"other labels", "6", "label 33"} <= set(texts(svg))
    assert "label 34" not in texts(svg)


def shape_of(element):
    """Where a polygon begins and how it goes on: up, down or diamond; nothing for the others."""
    points = [tuple(map(float, pair.split(","))) for pair in (element.get("points") or "").split()]
    return (len(points), points[0][1] < points[1][1]) if points else None


@pytest.mark.parametrize(
    ("points", "message"),
    [([], "at least one case"), ([MapPoint(0, float("nan"), "a", "")], "not finite")],
)
def test_maps_that_cannot_be_drawn(points, message):
    with pytest.raises(DataError, match=message):
        map_of(points)


def variation(name, across, up, half=0.02):
    return Variation(name, *(Estimate(value=v, low=v - half, high=v + half) for v in (across, up)))


def test_a_sweep_shows_every_variant_with_its_place():
    found = [variation("as it is", 0.1, 0.92), variation("max_share=0 <b>", 0.02, 0.88)]
    drawn = sweep_diagram(found, title="Two", across="looked at again", up="accuracy", n=1234, percent=(True, True))
    words = texts(drawn)
    assert {"looked at again, %", "accuracy, %", "as it is", "max_share=0 <b>", "92.0 at 10.0", "88.0 at 2.0"} <= set(
        words
    )
    assert any("n = 1,234" in word for word in words)
    assert "max_share=0 <b>: 88.0 (86.0–90.0)" in hints(drawn)
    places = [(float(c.get("cx")), float(c.get("cy"))) for c in ET.fromstring(drawn).iter(f"{SVG}circle")]
    marks = [place for place in places if place[0] > 40]
    (low_x, low_y), (high_x, high_y) = marks  # the first variant is drawn last, on top
    assert low_x < high_x
    assert low_y > high_y


def test_a_sweep_of_one_point_and_of_none():
    one = Variation("as it is", *(Estimate(value=0.0, low=0.0, high=0.0) for _ in range(2)))
    assert "as it is" in texts(
        sweep_diagram([one], title="One", across="cost", up="accuracy", n=1, percent=(False, True))
    )
    with pytest.raises(DataError, match="at least one variant"):
        sweep_diagram([], title="None", across="cost", up="accuracy", n=1, percent=(False, True))
