"""The drawings of a report; what is drawn leads to the cases behind it."""

from collections.abc import Iterator
from itertools import groupby
from urllib.parse import urlencode

import numpy as np

from doubleread.evals.drawings import (
    ForestRow,
    ReliabilityPanel,
    Turns,
    confusion_matrix,
    forest_plot,
    histogram,
    reliability_diagram,
    reliability_grid,
    risk_coverage_diagram,
    second_look_flow,
)
from doubleread.evals.drawings.risk_coverage import Curve
from doubleread.evals.metrics.evaluation import PANEL, Evaluation, ReaderFigures
from doubleread.evals.metrics.run_columns import RunColumns
from doubleread.orchestrator.metrics import Flags

_STEPS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Coverages that are marked on the panel's curve."""


class Charts:
    """SVGs by name; those that there is nothing for are empty."""

    def __init__(self, evaluation: Evaluation, columns: RunColumns, marks: dict[str, Flags]) -> None:
        self._e, self._c, self._marks = evaluation, columns, marks

    def all(self) -> dict[str, str]:
        """Every drawing of the report."""
        p = self._e.panel
        return {
            "reliability": self._reliability(p) if p else "",
            "confusion": self._confusion(p) if p else "",
            "risk": self._risk() if self._e.readers else "",
            "second_look": self._second_look() if self._e.second_looks.cases else "",
            "seconds": self._seconds() if self._c.n else "",
            "cost": self._cost() if self._e.money.total > 0 else "",
            "agents_reliability": self._agents_reliability() if self._e.agents else "",
            "labels": self._labels(p) if p else "",
            "subgroups": self._subgroups(p) if p and self._e.subgroups else "",
        }

    def agents_confusion(self) -> list[str]:
        """One small matrix an agent."""
        return [
            confusion_matrix(self._e.labels, a.confusion, title=a.reader, reader=a.reader, small=True)
            for a in self._e.agents
        ]

    def _reliability(self, p: ReaderFigures) -> str:
        return reliability_diagram(**_panel(p, "Can its confidence be trusted?")._asdict())

    def _confusion(self, p: ReaderFigures) -> str:
        return confusion_matrix(self._e.labels, p.confusion, title="Which labels are confused?", reader=PANEL)

    def _risk(self) -> str:
        curves: dict[str, Curve] = {r.reader: (r.risk_coverage.coverage, r.risk_coverage.risk) for r in self._e.readers}
        marks, targets = self._points()
        return risk_coverage_diagram(curves, n=self._e.labelled, marks=marks, targets=targets)

    def _points(self) -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
        """Points on the panel's curve, and what was wrong among the surest cases up to there."""
        judged = self._marks["right"] | self._marks["wrong"]
        sure = self._c.posterior.max(axis=1)
        judged &= ~np.isnan(sure)
        order = np.argsort(-sure[judged], kind="stable")
        sure, wrong = sure[judged][order], self._marks["wrong"][judged][order]
        marks, targets = {}, {}
        for share in _STEPS if len(sure) else ():
            n = max(1, round(share * len(sure)))
            name = f"the most confident {share:.0%}".replace("%", " %")
            marks[name] = (n / len(sure), float(wrong[:n].mean()))
            targets[name] = urlencode({"show": "wrong", "by": PANEL, "from": f"{sure[n - 1] - 2e-6:.6f}"})
        return marks, targets

    def _second_look(self) -> str:
        helped, harmed, looked = (self._marks[key] for key in ("helped", "harmed", "looked"))
        right, wrong = looked & self._marks["right"], looked & self._marks["wrong"]
        turns = Turns(
            stayed_right=int((right & ~helped).sum()),
            helped=int(helped.sum()),
            harmed=int(harmed.sum()),
            stayed_wrong=int((wrong & ~harmed).sum()),
        )
        about = f"{self._e.second_looks.cases} of {self._e.n} cases had a second look"
        return second_look_flow(turns, title="What did the second looks change?", about=about, linked=True)

    def _seconds(self) -> str:
        taken = self._e.seconds
        marks = {"median": taken.p50.value, "95 %": taken.p95.value}
        return histogram(
            self._c.seconds.tolist(), title="How long does a case take?", unit="s", marks=marks, field="took"
        )

    def _cost(self) -> str:
        marks = {"mean": self._e.money.each.value}
        return histogram(self._c.cost.tolist(), title="What does a case cost?", unit="US $", marks=marks, field="paid")

    def _agents_reliability(self) -> str:
        panels = [_panel(a, a.reader) for a in self._e.agents]
        return reliability_grid(panels, title="Each agent’s confidence, after calibration", columns=4)

    def _labels(self, p: ReaderFigures) -> str:
        rows = [
            ForestRow(one.label, one.support, one.recall, urlencode({"true": one.label, "show": "wrong"}))
            for one in p.labels
            if one.recall is not None
        ]
        about = "share of each label’s cases that are recognised (recall); the band is the mean over labels"
        return forest_plot(rows, title="How often is each label recognised?", about=about, whole=p.balanced_accuracy)

    def _subgroups(self, p: ReaderFigures) -> str:
        about = "accuracy in each subgroup; the band is the whole run"
        return forest_plot(
            list(_grouped(self._e)), title="Is it equally good in every subgroup?", about=about, whole=p.accuracy
        )


def _grouped(evaluation: Evaluation) -> Iterator[ForestRow]:
    for column, groups in groupby(evaluation.subgroups, key=lambda one: one.column):
        yield ForestRow(column, 0, None, head=True)
        for one in groups:
            target = urlencode({"column": column, "value": one.value, "show": "wrong"})
            yield ForestRow(one.value or "(none)", one.n, one.accuracy, target, small=one.small)


def _panel(reader: ReaderFigures, title: str) -> ReliabilityPanel:
    return ReliabilityPanel.of(title, reader.reliability, reader.ece, reader.n, reader.reader)
