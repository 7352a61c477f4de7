"""Checks of a panel for your own test suite."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from doubleread.core.errors import RunError
from doubleread.evals.datasets import LabelledCases, read_labelled
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.folders import evaluate_folder
from doubleread.evals.metrics.gates import check, gate
from doubleread.evals.metrics.left_out import reasons
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.panel import Panel


def assert_panel(
    panel: Panel | str | Path,
    data: LabelledCases | str | Path,
    *,
    at_least: Mapping[str, float] | None = None,
    at_most: Mapping[str, float] | None = None,
    sure: bool = False,
    run: Path | None = None,
    limit: int | None = None,
    allow_left_out: bool = False,
) -> Evaluation:
    """Evaluates a panel on images it has not learned from, and fails if a figure is worse than its bound.

    Args:
        panel: A panel, or its folder.
        data: Labelled cases, or anything that ``read_dataset`` takes.
        at_least: Lower bounds by the name of a figure, such as ``{"accuracy": 0.95}``.
        at_most: Upper bounds by the name of a figure, such as ``{"ece": 0.05}``.
        sure: Whether the whole 95 % interval must be within the bound.
        run: Folder that keeps the run, and from which it is resumed; a temporary one if None.
        limit: Greatest number of images, taken evenly from the data.
        allow_left_out: Whether more than 5 % of the images may be left out of the figures.

    Raises:
        AssertionError: A figure is worse than its bound, or too many images are left out; the message names everything.
        DataError: There is no such figure, or a bound does not make sense.
        RunError: No bound was given.

    Examples:
        >>> from doubleread.testing import assert_panel
        >>> found = assert_panel("panel", "photos", at_least={"accuracy": 0.9}, at_most={"ece": 0.2})
        >>> found.n
        9
    """
    gates = [gate(name, "at least", bound) for name, bound in (at_least or {}).items()]
    gates += [gate(name, "at most", bound) for name, bound in (at_most or {}).items()]
    if not gates:
        raise RunError("nothing is asked of the panel: name a figure, such as at_least={'accuracy': 0.95}")
    dataset = data if isinstance(data, LabelledCases) else read_labelled(data)
    with TemporaryDirectory(prefix="doubleread-") as scratch:
        found = _judged(panel, dataset, RunChoice(run or Path(scratch) / "run", limit=limit))
    missed = [one for one in check(found, gates) if not one.passed or (sure and not one.sure)]
    lines = [one.text + (", but not surely so" if one.passed else "") for one in missed]
    if found.too_many_left_out and not allow_left_out:
        some = f"only {found.judged_n} of {found.asked_n} images are counted"
        lines.append(f"{some}: {reasons(found.left_out)}; allow_left_out=True accepts that")
    if lines:
        raise AssertionError("\n  ".join((f"the panel is not good enough, on {found.n} images:", *lines)))
    return found


def _judged(panel: Panel | str | Path, dataset: LabelledCases, wanted: RunChoice) -> Evaluation:
    if not isinstance(panel, Panel):
        with Panel.load(panel) as loaded:
            return _judged(loaded, dataset, wanted)
    return evaluate_folder(evaluate(panel, dataset, wanted).folder)


__all__ = ["assert_panel"]
