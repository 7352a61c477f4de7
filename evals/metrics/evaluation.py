"""What a run comes to, as one record: the panel, its agents, its decisions, its sets, its price.

Every interval is a 95 % percentile interval over draws of whole groups, and all figures share the same draws; a share
of cases that are all alike has Wilson's. Readers (the panel and its agents) are judged on the labelled cases on which
they answered.
"""

import operator

from pydantic import Field

from doubleread.agents.wire.budget import Spending
from doubleread.core.base import Record
from doubleread.core.batch import BatchComparison
from doubleread.core.errors import DataError
from doubleread.core.trust import CalibrationError, Estimate, ReliabilityBin, n_of
from doubleread.evals.metrics.left_out import MOST

PANEL = "panel"
"""The reader that is the panel itself."""


class Curve(Record):
    """Risk (share wrong) among the most confident share of cases; long curves are thinned to a few hundred points."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


class LabelFigures(Record):
    """How one label fares with one reader."""

    label: str
    support: int
    """Cases whose true label it is."""
    said: int
    """Cases for which it was the answer."""
    precision: Estimate | None
    """None where it was never the answer."""
    recall: Estimate | None
    """None where no case has it."""
    f1: Estimate | None
    """None where it was neither the answer nor true."""


class ReaderFigures(Record):
    """One reader, the panel or an agent (its first answer, after calibration), on the ``n`` cases it answered.

    Examples:
        >>> figures = doubleread.evaluate_panel(panel, "photos", out="runs/first").evaluation
        >>> figures.panel.reader, figures.panel.n, figures.panel.accuracy.value
        ('panel', 9, 1.0)
    """

    reader: str
    n: int
    abstained: int
    """Labelled cases without an opinion of it; no figure counts them."""
    accuracy: Estimate
    balanced_accuracy: Estimate
    """Mean recall of the labels that occur."""
    macro_f1: Estimate
    """Mean F1 of the labels that occur or were answers."""
    brier: Estimate
    nll: Estimate
    """In nats; probabilities are clipped at 1e-6."""
    ece: CalibrationError
    ace: CalibrationError
    """Adaptive: bins that hold equally many cases (ties stay together)."""
    mce: CalibrationError
    """The worst bin's gap, whatever it holds: on small bins its chance level is high."""
    classwise_ece: CalibrationError
    ocr: Estimate
    """Share of *all* cases that are wrong with a confidence above ``ocr_threshold``."""
    ocr_threshold: float
    ccc: Estimate | None
    """Correlation of confidence and correctness; None where all are right, all wrong or all equally sure."""
    aurc: Estimate
    """Area under the risk–coverage curve; lower is better."""
    e_aurc: Estimate
    """AURC above that of a perfect ranking of the same answers (Geifman et al. 2019)."""
    failure_auroc: Estimate | None
    """How well confidence separates right from wrong answers, 0.5 by chance; None if all are right or all are wrong."""
    labels: tuple[LabelFigures, ...]
    """In the task's order."""
    confusion: tuple[tuple[int, ...], ...]
    """``confusion[true][said]``, in the task's order."""
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: Curve
    influence: Estimate | None = None
    """How far a verdict changes without the agent, on average: total variation distance, 0 to 1; None for the panel."""
    benefit: Estimate | None = None
    """How much the log-loss of the calibration cases rises without it, from its trust profile; below 0 it does harm."""
    further: dict[str, CalibrationError | Estimate] = Field(default_factory=dict, exclude_if=operator.not_)
    """Metrics that have no field of their own, by name."""

    def metric(self, name: str) -> CalibrationError | Estimate | None:
        """A declared metric by its name; None where it is undefined."""
        found: CalibrationError | Estimate | None = getattr(self, name, None) or self.further.get(name)
        return found


class SilentAgent(Record):
    """An agent of the panel without an answer on any labelled case: ``n`` is 0.

    Examples:
        >>> figures = doubleread.evaluate_panel(panel, "photos", out="runs/first").evaluation
        >>> [one.reader for one in figures.silent]
        ['zero-shot']
    """

    reader: str
    n: int = 0
    abstained: int
    """The labelled cases."""
    why: str
    """Why the panel does without it, or its most frequent cause."""

    @property
    def answered(self) -> str:
        """How many of the labelled cases it answered: ``0 of 9``."""
        return n_of(self.n, self.abstained)

    @property
    def note(self) -> str:
        """That it never answered, and why."""
        return f"{self.reader}: {self.answered} answered; {self.why}"


class Advantage(Record):
    """What the panel has over one agent on the ``n`` labelled cases that both answered; above 0 it is better."""

    agent: str
    n: int
    accuracy: Estimate
    """The panel's minus the agent's, case by case."""
    nll: Estimate
    """The agent's log-loss minus the panel's, case by case."""


class Decisions(Record):
    """What was committed to and what went to a person."""

    committed: int
    referred: int
    """All cases that were not committed."""
    commitment: Estimate
    """Share committed."""
    committed_n: int
    """Committed cases whose label is known."""
    committed_accuracy: Estimate | None
    """Of those; None where there is none."""


class LabelCoverage(Record):
    """How often the prediction set of a case of this label holds it."""

    label: str
    n: int
    coverage: Estimate


class PredictionSets(Record):
    """Prediction sets of the labelled cases."""

    promised: float | None
    """The coverage they promise; None where no case says so."""
    coverage: Estimate | None
    """None without a labelled case."""
    labels: tuple[LabelCoverage, ...]
    """Labels that occur, in the task's order."""
    size: Estimate
    """Mean number of labels in a set, over all cases."""
    sizes: tuple[int, ...]
    """``sizes[m]``: number of cases whose set contains ``m`` labels."""

    @property
    def worst(self) -> LabelCoverage | None:
        """The label that is covered least."""
        return min(self.labels, key=lambda one: one.coverage.value, default=None)


class SecondLookEffect(Record):
    """How often a reader's leading label was taken from wrong to right, and from right to wrong."""

    agent: str
    """``panel`` for the panel: its posterior before and after."""
    looked: int
    """Labelled cases that it answered before and after."""
    helped: int
    harmed: int
    gain: Estimate | None
    """Accuracy after minus accuracy before, on those; None where there is none."""


class SecondLooks(Record):
    """How often the panel looked again, and what for."""

    cases: int
    """All of them, labelled or not."""
    share: Estimate
    panel: SecondLookEffect
    agents: tuple[SecondLookEffect, ...]


class Alarms(Record):
    """How often an image was unlike the calibration images."""

    judged: int
    """Cases for which it is known."""
    raised: int
    share: Estimate | None
    """Share of those; None if there are none."""


class Leaks(Record):
    """Images that are nearly the same as one of the panel's own cases, by their evidence."""

    cases: int
    accuracy_without: Estimate | None
    """The panel's on the others; None where nothing leaked, or everything."""


class Money(Record):
    """What the answers cost, in US dollars."""

    total: float
    each: Estimate
    """A case, on average."""
    unpriced: int
    """Cases with an answer of a model that has no known price: these count as less than they cost."""


class Seconds(Record):
    """How long a case took: no more than ``p90`` in 90 % of them."""

    total: float
    """Summed over the cases, whether or not they ran side by side."""
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate


class Subgroup(Record):
    """The panel on the labelled cases that share a value of one column; figures are None where it never answered."""

    column: str
    """A metadata column, or ``split``."""
    value: str
    """Empty where the cases have none."""
    n: int
    small: bool
    """Fewer than ten cases: too few to judge."""
    accuracy: Estimate | None
    nll: Estimate | None
    ece: CalibrationError | None


class SubjectFigures(Record):
    """One verdict for each subject, such as a plant with several images; intervals are over groups.

    Examples:
        >>> doubleread.evaluate_panel(panel, "photos", out="runs/first").evaluation.subjects is None
        True
    """

    n: int
    """Subjects."""
    images: int
    several: int
    """Subjects with more than one image."""
    labelled: int
    """Subjects whose images all have the same true label."""
    accuracy: Estimate | None
    """None where no labelled subject has a posterior."""
    nll: Estimate | None
    nll_gain: Estimate | None
    """Mean log-loss of the subject's single images minus that of the subject's verdict; above 0 pooling is better."""
    committed: int
    referred: int
    commitment: Estimate
    """Share committed."""
    committed_accuracy: Estimate | None
    promised: float | None
    """Coverage that the sets of subjects promise; None where nothing is promised."""
    coverage: Estimate | None
    """Share of the subjects with such a promise whose set contains the true label."""
    clusters: int
    """Groups among the subjects."""


class Resampling(Record):
    """Where the intervals come from."""

    draws: int
    seed: int
    clusters: int
    """Groups among all cases; a case without a group is one of its own."""


class Evaluation(Record):
    """Everything a run comes to. ``n + unread`` cases were read; figures that need labels rest on ``labelled`` ones.

    Examples:
        >>> figures = doubleread.evaluate_panel(panel, "photos", out="runs/first").evaluation
        >>> figures.n, figures.unread, figures.decisions.committed + figures.decisions.referred
        (9, 0, 9)
    """

    format: int = 1
    name: str
    """Of the data set."""
    task: str
    labels: tuple[str, ...]
    n: int
    """Cases with a verdict."""
    unread: int
    """Cases that could not be read; no figure counts them."""
    unread_codes: dict[str, int] = Field(default_factory=dict)
    """How many for which reason."""
    labelled: int
    unlabelled: int
    """Cases with a verdict but without a true label, those of ``unknown_labels`` among them."""
    unknown_labels: dict[str, int] = Field(default_factory=dict)
    """True labels that the task does not know, and how many cases have them."""
    left_out: dict[str, int] = Field(default_factory=dict)
    """Images that the panel's accuracy does not count, by reason (``left_out.REASONS``)."""
    panel: ReaderFigures | None
    """None where no labelled case has a posterior."""
    agents: tuple[ReaderFigures, ...]
    """Those that answered, in the order of the panel's profiles."""
    silent: tuple[SilentAgent, ...] = ()
    """The others: agents that the panel does without, and those that never answered."""
    spending: dict[str, Spending] = Field(default_factory=dict)
    """What each agent that asks models took for its answers."""
    advantages: tuple[Advantage, ...]
    """Of the panel over each of them."""
    decisions: Decisions
    sets: PredictionSets
    second_looks: SecondLooks
    alarms: Alarms
    leaks: Leaks
    money: Money
    seconds: Seconds
    batch: BatchComparison | None = None
    """Its pictures compared with the calibration images; None where they were not compared."""
    subgroups: tuple[Subgroup, ...] = ()
    """Column by column, the largest first."""
    subjects: SubjectFigures | None = None
    """None where no case names a subject, or the run is not complete."""
    resampling: Resampling
    warnings: tuple[str, ...] = ()

    @property
    def judged_n(self) -> int:
        """Images that the panel's accuracy counts."""
        return self.panel.n if self.panel else 0

    @property
    def asked_n(self) -> int:
        """Images that it would count if none were left out."""
        return self.judged_n + sum(self.left_out.values())

    @property
    def left_out_share(self) -> float:
        """Share of the images that are left out."""
        return sum(self.left_out.values()) / max(self.asked_n, 1)

    @property
    def too_many_left_out(self) -> bool:
        """Whether more than 5 % of the images are left out, so that the figures may not hold for all of them."""
        return self.left_out_share > MOST

    @property
    def readers(self) -> tuple[ReaderFigures, ...]:
        """The panel, where it was judged, and its agents."""
        return (*((self.panel,) if self.panel else ()), *self.agents)

    @property
    def judged(self) -> ReaderFigures:
        """The panel's figures; raises ``DataError`` where there are none."""
        if self.panel is None:
            raise DataError(
                f"no case of {self.name!r} has both a true label and a verdict with probabilities; the panel cannot "
                "be evaluated"
            )
        return self.panel
