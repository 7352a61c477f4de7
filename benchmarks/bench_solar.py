"""Solar cells, divided by module in six ways: the panel on modules it has never seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.bench_panel import surest
from benchmarks.data import solar_cells
from benchmarks.figure import Figure, mean
from doubleread.core.case import Case
from doubleread.core.task import Task
from doubleread.core.trust import Estimate
from doubleread.core.verdict import Verdict
from doubleread.evals.metrics.calculation import evaluate_verdicts
from doubleread.evals.splits import split
from doubleread.orchestrator.calibration.temperature import Temperature
from doubleread.orchestrator.metrics import nll
from doubleread.panel import Panel
from doubleread.panel.composition import open_eyes
from doubleread.settings import Settings, load_settings

DIVISIONS = 6
STRENGTHS = tuple(np.logspace(-5, 1, 7).tolist())
"""Inverse ridge strengths of the plain probe."""


@dataclass(frozen=True)
class DivisionResult:
    """One division: log-losses of panel and plain probe, and what the panel promised and did."""

    panel: float
    accuracy: Estimate
    best: str
    """The single agent with the lowest log-loss on these very images."""
    gain: Estimate
    """How far the panel's log-loss lies below that agent's."""
    probe: float
    coverage: float
    """Of the prediction sets, new modules counted alike."""
    alarms: float
    right: float
    """Share of right commitments."""


def solar_splits() -> Iterator[Figure]:
    """Six ways to divide the modules, with one look.

    Second looks take most of the time; ``solar_panel`` measures them on the first division.
    """
    found = judged_divisions()
    yield _over("nll_below_best_agent", [one.gain.value for one in found], ">= 0")
    clearly = sum(one.gain.high < 0 for one in found)
    yield Figure(name="solar_splits.clearly_worse_than_best_agent", value=clearly, n=len(found), target="<= 0")
    yield _over("nll_below_plain_probe", [one.probe - one.panel for one in found], ">= 0", least=True)
    yield _over("set_coverage", [one.coverage for one in found], ">= 0.9")
    yield _over("worst_set_coverage", [one.coverage for one in found], ">= 0.86", least=True)
    yield _over("false_alarms", [one.alarms for one in found], "<= 0.025")
    yield _over("committed_accuracy", [one.right for one in found], ">= 0.8", least=True)


def judged_divisions() -> list[DivisionResult]:
    """Each division, in the order of its seed; raises ``Skipped``."""
    dataset, settings = solar_cells(), load_settings(None, {"second_look": {"max_rounds": 1}})
    return [_judged(split(dataset.cases, seed=seed), dataset.task, settings) for seed in range(DIVISIONS)]


def _judged(cases: Sequence[Case], task: Task, settings: Settings) -> DivisionResult:
    with Panel.fit(cases, task, settings=settings) as panel:
        tests = [case for case in cases if case.split == "test"]
        verdicts = [v for v in panel.diagnose_many(tests) if isinstance(v, Verdict)]
        found = evaluate_verdicts(verdicts, panel.task, panel.profiles, name="solar")
    inside: dict[str, list[bool]] = {}
    for v in verdicts:
        inside.setdefault(str(v.case.group), []).append(v.case.label in v.prediction_set)
    committed, best = [v for v in verdicts if v.decision.action == "commit"], surest(found).reader
    return DivisionResult(
        panel=found.judged.nll.value,
        accuracy=found.judged.accuracy,
        best=best,
        gain=next(one.nll for one in found.advantages if one.agent == best),
        probe=plain_probe(cases, task, settings),
        coverage=float(np.mean([np.mean(of) for of in inside.values()])),
        alarms=float(np.mean([v.unfamiliar for v in verdicts])),
        right=float(np.mean([v.decision.label == v.case.label for v in committed])) if committed else 1.0,
    )


def plain_probe(cases: Sequence[Case], task: Task, settings: Settings) -> float:
    """Test log-loss of a standardised logistic regression with temperature: what anybody would try first.

    Strength and temperature are those with the least loss on the calibration split.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second to import
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - the same

    eyes = open_eyes(settings)
    try:
        seen = eyes.embed_all(cases)
    finally:
        eyes.close()
    kept = [cases[i] for i in seen.kept]
    y = np.array([task.index(str(case.label)) for case in kept])
    of = {name: np.array([case.split == name for case in kept]) for name in ("support", "calibration", "test")}
    x = StandardScaler().fit(seen.embeddings[of["support"], 0]).transform(seen.embeddings[:, 0])
    losses = []
    for strength in STRENGTHS:
        probe = LogisticRegression(C=strength, max_iter=3000).fit(x[of["support"]], y[of["support"]])
        raw = {name: probe.predict_proba(x[of[name]]) for name in ("calibration", "test")}
        temperature = Temperature().fit(raw["calibration"], y[of["calibration"]])
        losses.append(tuple(nll(temperature.apply(raw[name]), y[of[name]]) for name in ("calibration", "test")))
    return min(losses)[1]


def _over(name: str, values: Sequence[float], target: str, *, least: bool = False) -> Figure:
    """The mean over the divisions, or the least, which must reach the target in every one of them."""
    note = f"{'least' if least else 'mean'}, minimum and maximum of {len(values)} divisions"
    return Figure.over(f"solar_splits.{name}", values, target, note, by=min if least else mean)
