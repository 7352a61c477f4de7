"""What a panel reaches with few labelled leaves: drawn again by blocks of captures, judged on the same test leaves."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.bench_panel import most_accurate, surest
from benchmarks.data import leaves
from benchmarks.figure import Figure
from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.evals.metrics.calculation import evaluate_verdicts
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.orchestrator.metrics import Interval, wilson
from doubleread.panel import Panel
from doubleread.settings import load_settings

DRAWS, SUPPORT, CALIBRATION, COVERAGE = 10, 50, 25, 0.95


def leaves_draws() -> Iterator[Figure]:
    """Ten draws of 50 support and 25 calibration leaves a label, with one look.

    The draws hold as many of every label; the prevalence where the panel is used, that of the whole support split, is
    stated to it.
    """
    dataset = leaves()
    support = [case for case in dataset.cases if case.split == "support"]
    prior = {name: sum(c.label == name for c in support) / len(support) for name in dataset.task.names}
    task = type(dataset.task).model_validate({**dataset.task.model_dump(), "prior": prior})
    settings = load_settings(None, {"second_look": {"max_rounds": 1}, "trust": {"coverage": COVERAGE}})
    tests = [case for case in dataset.cases if case.split == "test"]
    found: list[tuple[Evaluation, tuple[Verdict, ...]]] = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        drawn = [
            *_draw(dataset.cases, "support", SUPPORT, task.names, rng),
            *_draw(dataset.cases, "calibration", CALIBRATION, task.names, rng),
        ]
        with Panel.fit(drawn, task, settings=settings) as panel:
            verdicts = tuple(v for v in panel.diagnose_many(tests) if isinstance(v, Verdict))
            found.append((evaluate_verdicts(verdicts, panel.task, panel.profiles, name=dataset.name), verdicts))
    yield from _figures([evaluation for evaluation, _ in found], [verdicts for _, verdicts in found], task.names)


def _draw(
    cases: Sequence[Case], split: str, wanted: int, names: Sequence[str], rng: np.random.Generator
) -> Iterator[Case]:
    """Whole blocks of captures in random order until each label has enough."""
    for name in names:
        mine = [case for case in cases if case.split == split and case.label == name]
        blocks = sorted({str(case.group) for case in mine})
        rng.shuffle(blocks)
        ordered = [case for block in blocks for case in mine if case.group == block]
        yield from ordered[:wanted]


def _figures(
    evaluations: Sequence[Evaluation], verdicts: Sequence[Sequence[Verdict]], names: Sequence[str]
) -> Iterator[Figure]:
    panels = [e.judged for e in evaluations]
    accuracy = [e.judged.accuracy.value - most_accurate(e).accuracy.value for e in evaluations]
    ratio = [e.judged.nll.value / surest(e).nll.value for e in evaluations]
    ece = [p.ece.value - p.ece.chance_high for p in panels]
    covered = [[v.case.label in v.prediction_set for v in some] for some in verdicts]
    n = len(verdicts[0])
    interval = _pooled(covered)
    worst = min(
        np.mean([v.case.label in v.prediction_set for some in verdicts for v in some if v.case.label == name])
        for name in names
    )
    yield _over("accuracy", [p.accuracy.value for p in panels], n)
    yield _over("nll", [p.nll.value for p in panels], n)
    yield _over("accuracy_above_best_agent", accuracy, n, ">= 0.01")
    yield _over("nll_over_best_agent", ratio, n, "<= 0.75")
    yield _over("ece", [p.ece.value for p in panels], n)
    yield _over("ece_above_chance_level", ece, n, "<= 0", "ECE less the 95th percentile of its chance level")
    yield Figure(
        name="draws.set_coverage",
        value=float(np.mean(covered)),
        low=interval.low,
        high=interval.high,
        n=n * len(verdicts),
        target=f">= {COVERAGE}",
        note=f"promised {COVERAGE}; interval of one draw's size; mean size "
        f"{np.mean([len(v.prediction_set) for some in verdicts for v in some]):.2f}",
    )
    yield Figure(name="draws.set_coverage_worst_label", value=float(worst), n=n, target=">= 0.93")


def _pooled(covered: Sequence[Sequence[bool]]) -> Interval:
    n = len(covered[0])
    return wilson(round(float(np.mean(covered)) * n), n)


def _over(name: str, values: Sequence[float], n: int, target: str = "", note: str = "") -> Figure:
    """Mean over the draws, with the least and the most."""
    note = note or f"mean, minimum and maximum of {len(values)} draws"
    return Figure.over(f"draws.{name}", values, target, note, n=n)
