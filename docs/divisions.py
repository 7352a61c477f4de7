"""Draws docs/divisions.svg: the six divisions of the solar cells of ``solar_splits``. ``python docs/divisions.py``."""

from pathlib import Path

from benchmarks.bench_solar import DivisionResult, judged_divisions
from doubleread.evals.drawings import svg

WIDTH, ROW, TOP, LEFT, SPAN, RIGHT, COVER = 940.0, 34.0, 118.0, 190.0, 330.0, 610.0, 150.0
REACH = 0.2
TITLE = "Six ways to divide the solar modules: how good the panel is on modules it has never seen"
ABOUT = (
    "Left: log-loss below that of the agent that is best on the test data, 95 % intervals over modules. "
    "Right: 90 % sets."
)


def gain_x(value: float) -> float:
    """Where a gain in log-loss lies; the ends of the scale are ±0.2."""
    return LEFT + SPAN * (min(max(value, -REACH), REACH) + REACH) / (2 * REACH)


def cover_x(share: float) -> float:
    """Where a coverage lies, from 80 to 100 %."""
    return RIGHT + COVER * (share - 0.8) / 0.2


def row(i: int, one: DivisionResult) -> list[str]:
    """One division."""
    y = TOP + ROW * i
    return [
        svg.text(20, y + 4, f"division {i + 1}", "dr-ink"),
        svg.text(96, y + 4, f"right {svg.percent(one.accuracy.value)}", "dr-small"),
        svg.line(gain_x(one.gain.low), y, gain_x(one.gain.high), y, "dr-line dr-s1"),
        svg.circle(gain_x(one.gain.value), y, 5, "dr-mark dr-f1"),
        svg.text(LEFT + SPAN + 12, y + 4, one.best, "dr-small"),
        svg.circle(cover_x(one.coverage), y, 5, "dr-mark dr-f3"),
        svg.text(RIGHT + COVER + 16, y + 4, f"{svg.percent(one.coverage)} covered", "dr-ink"),
    ]


def drawing(found: list[DivisionResult]) -> str:
    """The whole picture as SVG."""
    bottom = TOP + ROW * (len(found) - 1) + 20
    body = [
        svg.text(20, 30, TITLE, "dr-title"),
        svg.text(20, 52, ABOUT, "dr-ink"),
        svg.text(gain_x(-REACH), 84, "agent better", "dr-small"),
        svg.text(gain_x(REACH), 84, "panel better", "dr-small", "end"),
        svg.text(RIGHT, 84, "label in the set", "dr-small"),
        svg.line(gain_x(0), 92, gain_x(0), bottom, "dr-axis"),
        svg.line(cover_x(0.9), 92, cover_x(0.9), bottom, "dr-ideal"),
        *(part for i, one in enumerate(found) for part in row(i, one)),
        *(
            svg.text(gain_x(v), bottom + 16, f"{v:+.1f}" if v else "0", "dr-small", "middle")
            for v in (-0.2, -0.1, 0.0, 0.1, 0.2)
        ),
        *(svg.text(cover_x(v), bottom + 16, f"{v:.0%}", "dr-small", "middle") for v in (0.8, 0.9, 1.0)),
    ]
    told = "; ".join(
        f"division {i + 1}: {one.gain.value:+.3f} ({one.gain.low:+.3f} to {one.gain.high:+.3f}) against {one.best}, "
        f"sets cover {one.coverage:.1%}"
        for i, one in enumerate(found)
    )
    return svg.document(WIDTH, bottom + 32, TITLE, f"{ABOUT} {told}.", body)


if __name__ == "__main__":
    Path(__file__).with_name("divisions.svg").write_text(drawing(judged_divisions()), encoding="utf-8")
