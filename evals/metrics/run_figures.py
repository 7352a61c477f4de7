"""The figures of a run: every declared metric of the panel, and what became of its cases.

A figure is declared once; gates and the summary read it from here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from doubleread.core.trust import Estimate
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.left_out import reasons
from doubleread.orchestrator.metrics import declared
from doubleread.orchestrator.metrics.metric import PERCENT, Display, Found, Metric

Title = str | Callable[[Evaluation], str]


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
    title: Title = ""
    """In Markdown."""
    gate: bool = True
    """Whether a bound can be set."""
    heading: str = ""
    """What tables call it."""

    def row(self, found: Evaluation) -> str:
        """What the summary calls it."""
        return self.title if isinstance(self.title, str) else self.title(found)

    @property
    def side(self) -> Literal["at least", "at most"]:
        """Which bound can be set: ``at least`` if higher is better."""
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
    return f"prediction sets that contain the true label{promise}"


def _share(name: str, about: str, of: Callable[[Evaluation], Found], title: Title = "", gate: bool = True) -> RunFigure:
    """A share of cases, of which more is better."""
    return RunFigure(name=name, about=about, of=of, title=title, better="higher", share=True, gate=gate)


def _amount(name: str, about: str, of: Callable[[Evaluation], Found], title: Title = "", digits: int = 2) -> RunFigure:
    """Something to have little of."""
    return RunFigure(name=name, about=about, of=of, title=title, display=Display(digits=digits), heading=about)


OF_RUN = (
    _share(
        "committed",
        "share of images committed on",
        lambda e: e.decisions.commitment,
        lambda e: f"committed ({e.decisions.committed:,}; {e.decisions.referred:,} referred)",
    ),
    _share(
        "committed-accuracy",
        "accuracy of the committed answers",
        lambda e: e.decisions.committed_accuracy,
        "accuracy of the committed answers",
    ),
    _share("coverage", "prediction sets that contain the true label", lambda e: e.sets.coverage, _promised),
    _share(
        "worst-coverage",
        "the same, for the label with the lowest share",
        lambda e: e.sets.worst.coverage if e.sets.worst else None,
        lambda e: f"… for {markdown_text(e.sets.worst.label)}, the label with the lowest share" if e.sets.worst else "",
    ),
    _amount("set-size", "labels in a prediction set, mean", lambda e: e.sets.size, "labels in a prediction set, mean"),
    _share(
        "second-looks",
        "share of images with a second look",
        lambda e: e.second_looks.share,
        lambda e: f"second looks ({e.second_looks.panel.helped} helped, {e.second_looks.panel.harmed} harmed)",
        gate=False,
    ),
    RunFigure(
        name="alarms",
        about="share of unfamiliar images",
        of=lambda e: e.alarms.share,
        title=lambda e: f"unfamiliar images ({e.alarms.raised:,})",
        share=True,
    ),
    _share(
        "accuracy-without-leaks",
        "accuracy without near copies",
        lambda e: e.leaks.accuracy_without,
        lambda e: f"accuracy without {e.leaks.cases:,} near copies",
        gate=False,
    ),
    _amount(
        "cost",
        "US dollars per case",
        lambda e: e.money.each,
        lambda e: f"US dollars per case (${e.money.total:.2f} in all)",
        digits=4,
    ),
    _amount("total-cost", "US dollars in all", lambda e: _count(e.money.total)),
    _amount("p50-seconds", "seconds per case, median", lambda e: e.seconds.p50, "seconds per case, median"),
    _amount(
        "p95-seconds",
        "seconds per case, 95th percentile",
        lambda e: e.seconds.p95,
        "seconds per case, 95th percentile",
    ),
    RunFigure(
        name="left-out",
        about="share of images left out of the accuracy",
        of=lambda e: _count(e.left_out_share),
        title=lambda e: f"left out ({reasons(e.left_out)})" if e.left_out else "",
        share=True,
    ),
    _amount("unread", "images that could not be read", lambda e: _count(e.unread)),
    _amount("leaks", "near copies of images in the panel's archive", lambda e: _count(e.leaks.cases)),
)
"""Those that are no metrics."""
