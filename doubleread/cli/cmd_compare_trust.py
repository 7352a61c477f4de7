"""``doubleread trust compare``: compares two panels, two versions of one, or a panel with its outcomes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from doubleread.cli.screen import OUT, note, words_line
from doubleread.cli.tables import comparison_table
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError
from doubleread.evals.drawings import ReliabilityPanel, reliability_grid
from doubleread.evals.trust_comparison import Comparison, compare
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.trust.grading import Graded, graded_unseen
from doubleread.orchestrator.trust.panel_members import panel_members
from doubleread.panel.feedback import graded, learned_rows, unseen_outcomes
from doubleread.panel.panel_folder import PanelFolder, read_panel

OUTCOMES = "outcomes"


@dataclass(frozen=True)
class Side:
    """One side of a comparison: ``panel``, ``panel@2`` or ``panel@outcomes``."""

    name: str
    saved: PanelFolder
    outcomes: bool


def side(name: str) -> Side:
    """Parses a side. Raises ``DataError`` if the text after ``@`` is neither a version nor ``outcomes``."""
    folder, at, which = name.rpartition("@")
    if not at or Path(name).is_dir():
        return Side(name, read_panel(Path(name), None), outcomes=False)
    if which == OUTCOMES:
        return Side(name, read_panel(Path(folder), None), outcomes=True)
    if not which.isdecimal():
        raise DataError(f"{name} is not a panel: write PANEL, PANEL@2 for a version of its trust, or PANEL@{OUTCOMES}")
    return Side(name, read_panel(Path(folder), None, int(which)), outcomes=False)


def run_compare(first: str, second: str, draw: Path | None) -> None:
    """Shows what is better, worse and the same, and draws both sides' reliability diagrams."""
    a, b = side(first), side(second)
    found = compare(_graded(a, b), _graded(b, a), (first, second))
    OUT.print(comparison_table(found))
    note(_about(found))
    for line in not_compared(found, {first: a.saved.arbiter, second: b.saved.arbiter}):
        note(line)
    words_line(("agent", "calibration", *(one.figure for one in found.differences)))
    if draw is not None:
        write_text(draw, _drawn(found))
        OUT.print(str(draw), markup=False, highlight=False, soft_wrap=True)


def not_compared(found: Comparison, sides: Mapping[str, Arbiter]) -> Iterator[str]:
    """Names every agent of either side that the table has no row for, and why."""
    shown = {one.reader for one in found.differences}
    for name, arbiter in sides.items():
        for one in panel_members(arbiter):
            if one.agent not in shown:
                why = f" ({one.unused})" if one.unused else ""
                yield f"not compared: {one.agent}; {name}: {one.answered} calibration images answered{why}"


def _graded(one: Side, other: Side) -> Graded:
    """Judges a side on the cases it learned trust from; for versions of one panel, on those of both."""
    if one.outcomes:
        outcomes = [o for o in unseen_outcomes(one.saved) if o.sampling == "all"]
        if not outcomes:
            raise DataError(
                f"{one.name}: this panel has no confirmed outcomes to test it on; outcomes that it has learned from, "
                "and selected cases, do not count (see `doubleread trust confirm --sampling all`)"
            )
        return graded_unseen(one.saved.arbiter, outcomes)
    versions = not other.outcomes and one.saved.folder.resolve() == other.saved.folder.resolve()
    return graded(one.saved, learned_rows(other.saved) if versions else ())


def _about(found: Comparison) -> str:
    if found.paired:
        return f"both tested on the same {found.first_n} cases, by fits that did not use them"
    return f"{found.first}: {found.first_n} cases, {found.second}: {found.second_n} other cases"


def _drawn(found: Comparison) -> str:
    panels = [
        ReliabilityPanel(f"{r.reader} · {Path(r.side).name}", r.bins, r.ece, r.chance, r.n, chance_high=r.chance_high)
        for r in found.reliability
    ]
    return reliability_grid(panels, title="After calibration, side by side", columns=2)
