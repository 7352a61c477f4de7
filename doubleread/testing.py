"""Checks of a panel for a test suite.

    from doubleread.testing import assert_panel

    def test_the_panel_is_good_enough():
        assert_panel("panel", "photos/", at_least={"accuracy": 0.95}, at_most={"ece": 0.05})

Names of figures: see ``doubleread.evals.metrics.gates.gated``.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from doubleread.core.errors import RunError
from doubleread.evals.datasets import Labelled, read_labelled
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.folders import evaluate_folder
from doubleread.evals.metrics.gates import check, gate
from doubleread.evals.runs.evaluate import Wanted, evaluate
from doubleread.panel import Panel


def assert_panel(
    panel: Panel | str | Path,
    data: Labelled | str | Path,
    *,
    at_least: Mapping[str, float] | None = None,
    at_most: Mapping[str, float] | None = None,
    sure: bool = False,
    run: Path | None = None,
    limit: int | None = None,
) -> Evaluation:
    """Judges a panel on images it has not learned from; raises ``AssertionError`` that names every figure not reached.

    With ``sure`` a figure must be reached by its whole 95 % interval. ``run`` keeps the run in a folder, and goes on
    with one that is there. Raises ``DataError`` for names or bounds that make no sense, and ``RunError`` without any.
    """
    gates = [gate(name, "at least", bound) for name, bound in (at_least or {}).items()]
    gates += [gate(name, "at most", bound) for name, bound in (at_most or {}).items()]
    if not gates:
        raise RunError("nothing is asked of the panel: name a figure, such as at_least={'accuracy': 0.95}")
    dataset = data if isinstance(data, Labelled) else read_labelled(data)
    with TemporaryDirectory(prefix="doubleread-") as scratch:
        found = _judged(panel, dataset, Wanted(run or Path(scratch) / "run", limit=limit))
    missed = [one for one in check(found, gates) if not one.passed or (sure and not one.sure)]
    if missed:
        lines = [one.text + (", but not surely so" if one.passed else "") for one in missed]
        raise AssertionError("\n  ".join((f"the panel is not good enough, on {found.n} images:", *lines)))
    return found


def _judged(panel: Panel | str | Path, dataset: Labelled, wanted: Wanted) -> Evaluation:
    if not isinstance(panel, Panel):
        with Panel.load(panel) as loaded:
            return _judged(loaded, dataset, wanted)
    return evaluate_folder(evaluate(panel, dataset, wanted).folder)
