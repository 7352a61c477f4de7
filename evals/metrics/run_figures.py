"""The figures of a run: every declared metric of the panel, and what became of its cases.

A figure is declared once; gates and the summary read it from here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from doubleread.core.trust import Estimate
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.orchestrator.metrics import declared
from doubleread.orchestrator.metrics.metric import PERCENT, Display, Found, Metric


@dataclass(frozen=True, kw_only=True)
class RunFigure:
    """A figure of an evaluation. ``title`` names it in the summary; without one it is not there."""

    name: str
    about: str
    of: Callable[[Evaluation], Found]
    better: Literal["higher", "lower"] = "lower"
    share: bool = False
    """Between 0 and 1."""
    display: Display = PERCENT
    title: str | Callable[[Evaluation], str] = ""
    """In Markdown."""
    gate: bool = True
    """Whether a bound can be asked for."""
    heading: str = ""
    """What tables call it."""

    def row(self, found: Evaluation) -> str:
        """What the summary calls it."""
        return self.title if isinstance(self.title, str) else self.title(found)

    @property
    def side(self) -> Literal["at least", "at most"]:
        """What can be asked of it: at least so much where more is better."""
        return "at least" if self.better == "higher" else "at most"


def run_figures() -> dict[str, RunFigure]:
    """All figures by name, in the order of the summary: the panel's metrics, then those of the run."""
    metrics = sorted(declared(), key=lambda metric: metric.rank)
    return {one.name: one for one in (*map(_of_panel, metrics), *OF_RUN)}


def _of_panel(metric: Metric) -> RunFigure:
    return RunFigure(
        name=metric.name.replace("_", "-"),
        about=metric.about,
        of=lambda e: e.panel.metric(metric.name) if e.panel else None,
        better=metric.better,
        share=metric.unit == "share",
        display=metric.display,
        title=metric.title if "summary" in metric.shown else "",
        gate="gates" in metric.shown,
        heading=metric.heading,
    )


def markdown_text(words: str) -> str:
    """Words that cannot become markup, a link or another cell."""
    plain = " ".join(words.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]()#!|~@])", r"\\\1", plain)


def _count(n: float) -> Estimate:
    return Estimate(value=n, low=n, high=n)


def _promised(e: Evaluation) -> str:
    promise = "" if e.sets.promised is None else f" ({e.sets.promised:.0%} promised)"
    return f"sets that hold the true label{promise}"


OF_RUN = (
    RunFigure(
        name="committed",
        about="share committed",
        better="higher",
        share=True,
        title=lambda e: f"committed ({e.decisions.committed:,}; {e.decisions.referred:,} referred)",
        of=lambda e: e.decisions.commitment,
    ),
    RunFigure(
        name="committed-accuracy",
        about="of the committed",
        better="higher",
        share=True,
        title="accuracy of the committed",
        of=lambda e: e.decisions.committed_accuracy,
    ),
    RunFigure(
        name="coverage",
        about="sets that hold the true label",
        better="higher",
        share=True,
        title=_promised,
        of=lambda e: e.sets.coverage,
    ),
    RunFigure(
        name="worst-coverage",
        about="coverage of the label that is covered least",
        better="higher",
        share=True,
        title=lambda e: f"… of {markdown_text(e.sets.worst.label)}, the worst label" if e.sets.worst else "",
        of=lambda e: e.sets.worst.coverage if e.sets.worst else None,
    ),
    RunFigure(
        name="set-size",
        about="mean labels in a set",
        display=Display(digits=2),
        title="labels in a set",
        of=lambda e: e.sets.size,
    ),
    RunFigure(
        name="second-looks",
        about="share of images looked at again",
        title=lambda e: f"second looks ({e.second_looks.panel.helped} helped, {e.second_looks.panel.harmed} harmed)",
        of=lambda e: e.second_looks.share,
        gate=False,
    ),
    RunFigure(
        name="alarms",
        about="share of unfamiliar images",
        share=True,
        title=lambda e: f"unfamiliar images ({e.alarms.raised:,})",
        of=lambda e: e.alarms.share,
    ),
    RunFigure(
        name="accuracy-without-leaks",
        about="accuracy on images that are no near copies",
        better="higher",
        title=lambda e: f"accuracy without {e.leaks.cases:,} near copies",
        of=lambda e: e.leaks.accuracy_without,
        gate=False,
    ),
    RunFigure(
        name="cost",
        about="US dollars a case",
        heading="US dollars a case",
        display=Display(digits=4),
        title=lambda e: f"US dollars a case (${e.money.total:.2f} in all)",
        of=lambda e: e.money.each,
    ),
    RunFigure(name="total-cost", about="US dollars", of=lambda e: _count(e.money.total)),
    RunFigure(
        name="p50-seconds",
        about="seconds that half the cases stay within",
        display=Display(digits=2),
        title="seconds, median",
        of=lambda e: e.seconds.p50,
    ),
    RunFigure(
        name="p95-seconds",
        about="seconds that 95 % of the cases stay within",
        display=Display(digits=2),
        title="seconds, 95th percentile",
        of=lambda e: e.seconds.p95,
    ),
    RunFigure(name="unread", about="images that could not be read", of=lambda e: _count(e.unread)),
    RunFigure(name="leaks", about="near copies of the panel's own cases", of=lambda e: _count(e.leaks.cases)),
)
"""Those that are no metrics."""
