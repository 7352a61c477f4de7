"""The figures of a sweep: declared metrics, and what became of the cases. Each is declared once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.evals.vector_replay import Flags, ReplayedCases
from doubleread.orchestrator.metrics import shown_in
from doubleread.orchestrator.metrics.metric import PERCENT, CaseMetric, Display, Metric


@dataclass
class VariantOutcomes:
    """What became of the cases under one variant; the first axis counts the cases."""

    posterior: Matrix
    label: Labels
    committed: Flags
    looked_again: Flags
    unanswered: Flags
    usd: Vector

    @classmethod
    def blank(cls, n: int, k: int) -> "VariantOutcomes":
        """Before any case is replayed."""
        no = np.zeros(n, dtype=bool)
        return cls(np.full((n, k), np.nan), np.zeros(n, np.int64), no.copy(), no.copy(), no.copy(), np.zeros(n))

    def put(self, rows: Labels, replayed: ReplayedCases, usd: Vector) -> None:
        """Some of the cases, with the price of each agent's answer, ``(agents,)``."""
        self.posterior[rows], self.label[rows] = replayed.posterior, replayed.label
        self.committed[rows], self.looked_again[rows] = replayed.committed, replayed.looked_again
        self.unanswered[rows] = replayed.unanswered
        self.usd[rows] = (replayed.asked.astype(float) + replayed.asked_again) @ usd


@dataclass(frozen=True, kw_only=True)
class SweepFigure:
    """A figure of each variant.

    ``title`` names it on an axis, ``heading`` above a column (not in the table without one), and ``change`` above the
    column of differences. ``of`` gives a number or a flag for each case, ``(n,)``, from the outcomes, the labels and
    what the decisions cost; ``metric`` is used instead where there is one.
    """

    name: str
    title: str
    heading: str = ""
    change: str = ""
    display: Display = PERCENT
    metric: Metric | None = None
    of: Callable[[VariantOutcomes, Labels, Vector], NDArray[np.generic]] | None = None


def sweep_figures() -> dict[str, SweepFigure]:
    """All figures by name, in the order they are shown."""
    return {one.name: one for one in (*map(_of_metric, shown_in("sweep")), *OF_OUTCOMES)}


def _of_metric(metric: Metric) -> SweepFigure:
    return SweepFigure(
        name=metric.name,
        title=metric.title,
        heading=f"{metric.symbol} %" if metric.display.percent else metric.symbol,
        change=_change(metric) if isinstance(metric, CaseMetric) else "",
        display=metric.display,
        metric=metric,
    )


def _change(metric: Metric) -> str:
    return f"{metric.symbol}, pt" if metric.display.percent else metric.symbol


OF_OUTCOMES = (
    SweepFigure(
        name="wrong", title="wrong committed answers", of=lambda found, y, _: found.committed & (found.label != y)
    ),  # of all cases
    SweepFigure(name="referred", title="referred", heading="referred %", of=lambda found, *_: ~found.committed),
    SweepFigure(
        name="looked_again", title="second looks", heading="2nd look %", of=lambda found, *_: found.looked_again
    ),
    SweepFigure(  # what decisions came to, in ordinary errors, with what answers cost
        name="cost",
        title="cost per case, in ordinary errors",
        heading="cost",
        change="cost",
        display=Display(digits=4),
        of=lambda _, __, cost: cost,
    ),
    SweepFigure(
        name="usd",
        title="US dollars per case",
        heading="$ per case",
        display=Display(digits=4),
        of=lambda found, *_: found.usd,
    ),
)
