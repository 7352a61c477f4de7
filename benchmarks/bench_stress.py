"""How the panel of the leaves does on corrupted pictures, and how long that takes to find out."""

from collections.abc import Iterator
from tempfile import mkdtemp

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves
from benchmarks.figure import Figure
from doubleread.evals.stress import Condition, StressTest, stress_panel
from doubleread.evals.stress.stress_wording import MILD, worst
from doubleread.panel import Panel
from doubleread.settings import load_settings


def stress() -> Iterator[Figure]:
    """The usual plan on 120 test leaves: all corruptions at severities 1, 3 and 5, nothing cached.

    The worst condition is the largest of many estimates, so it looks worse than it is; beside it is the share of
    wrong commitments over all corruptions together.
    """
    settings = load_settings(None, {"encoder": {"cache_dir": mkdtemp(prefix="doubleread-bench-")}})
    with Panel.load(judged_panel(leaves).folder, settings=settings) as panel:
        found = stress_panel(panel, leaves())
    yield Figure(
        name="stress.seconds", value=found.seconds, n=found.n, target="<= 600", note=f"{found.readings:,} readings"
    )
    yield from _risks(found)
    yield _figure("stress.clean.accuracy", found.clean, "accuracy")
    hardest = found.overall[-1]
    for figure in ("accuracy", "coverage", "referred", "alarm"):
        yield _figure(f"stress.severity_{hardest.severity}.{figure}", hardest, figure)


def _risks(found: StressTest) -> Iterator[Figure]:
    allowed = f"<= {2 * found.promise.risk:g}"
    note = f"twice the promise of {found.promise.risk:g}: {found.promise.why}"
    mild = worst([one for one in found.conditions if one.severity <= MILD])
    if mild is not None:
        where = f"{mild.corruption}, severity {mild.severity}; {note}"
        yield _figure(f"stress.worst_risk_to_severity_{MILD}", mild, "risk", allowed, where)
    for one in found.overall:
        yield _figure(
            f"stress.severity_{one.severity}.risk", one, "risk", allowed if one.severity <= MILD else "", note
        )


def _figure(name: str, one: Condition, figure: str, target: str = "", note: str = "") -> Figure:
    e = one.figures.get(figure)
    if e is None:
        return Figure(name=name, n=0, target=target, note="no reading counts for it")
    return Figure.of(name, e, e.n, target, note)
