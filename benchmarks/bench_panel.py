"""What the panel reaches on images it has never seen, and how fast it is."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from benchmarks.data import leaves, solar_cells
from benchmarks.figure import Figure
from benchmarks.harness import seconds, timed
from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets import Dataset
from doubleread.evals.metrics.calculation import evaluate_verdicts
from doubleread.evals.metrics.evaluation import Evaluation, ReaderFigures
from doubleread.evals.splits import split
from doubleread.panel import Panel
from doubleread.settings import load_settings

TIMED = 60
"""Single diagnoses that are timed."""
CHANGED = 40
"""Leaves that are shown grey or blurred."""


def leaves_panel() -> Iterator[Figure]:
    """Apple leaves: fitted on ``support``, trust from ``calibration``, reported on ``test``."""
    judged = judged_panel(leaves)
    p, best = judged.found.judged, most_accurate(judged.found)
    yield Figure.of("leaves.accuracy", p.accuracy, p.n, ">= 0.965")
    yield Figure(
        name="leaves.accuracy_above_best_agent",
        value=p.accuracy.value - best.accuracy.value,
        n=p.n,
        target=">= 0",
        note=f"best agent: {best.reader}",
    )
    yield _ece("leaves.ece", p)
    yield Figure.of("leaves.nll", p.nll, p.n, "<= 0.11")
    yield from _common("leaves", judged.found)


def solar_panel() -> Iterator[Figure]:
    """Solar cells: split by blocks of neighbouring cells."""
    judged = judged_panel(solar_cells)
    p, best = judged.found.judged, surest(judged.found)
    yield Figure.of("solar.accuracy", p.accuracy, p.n, ">= 0.83")
    yield Figure(
        name="solar.nll_below_best_agent",
        value=best.nll.value - p.nll.value,
        n=p.n,
        target=">= 0",
        note=f"best agent: {best.reader}, calibrated, {best.nll.value:.3f}",
    )
    yield Figure.of("solar.nll", p.nll, p.n, "<= 0.365")
    yield _ece("solar.ece", p)
    curve = p.risk_coverage
    half = curve.risk[len(curve.risk) // 2]
    yield Figure(
        name="solar.risk_at_half_coverage_over_full",
        value=half / curve.risk[-1],
        n=p.n,
        target="< 1",
        note=f"risk {half:.3f} against {curve.risk[-1]:.3f}: the curve falls",
    )
    yield from _common("solar", judged.found)


def most_accurate(found: Evaluation) -> ReaderFigures:
    """The agent with the highest accuracy on the test data."""
    return max(found.agents, key=lambda one: one.accuracy.value)


def surest(found: Evaluation) -> ReaderFigures:
    """The agent with the lowest log-loss on the test data."""
    return min(found.agents, key=lambda one: one.nll.value)


def unfamiliar_leaves() -> Iterator[Figure]:
    """Forty unseen leaves shown grey, and the same blurred: the panel has seen neither, and must not commit wrongly."""
    judged = judged_panel(leaves)
    rng = np.random.default_rng(0)
    cases = [judged.verdicts[i].case for i in rng.choice(len(judged.verdicts), CHANGED, replace=False)]
    with Panel.load(judged.folder) as panel:
        for name, change in (("grey", _grey), ("blurred", _blurred)):
            images = [_encoded(change(open_rgb(case))) for case in cases]
            found = [v for v in panel.diagnose_many(images) if isinstance(v, Verdict)]
            wrong = sum(
                v.decision.action == "commit" and v.decision.label != case.label
                for v, case in zip(found, cases, strict=True)
            )
            alarms = sum(v.unfamiliar for v in found)
            note = f"committed wrong; {alarms} alarms"
            yield Figure(name=f"leaves.{name}.wrong", value=wrong, n=len(found), target="<= 2", note=note)


def open_rgb(case: Case) -> Image.Image:
    """A case's picture as it is."""
    assert case.path is not None
    with Image.open(case.path) as image:
        return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    return ImageOps.grayscale(image).convert("RGB")


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 64))


def _encoded(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


def diagnosis_seconds() -> Iterator[Figure]:
    """One diagnosis of a new solar cell with a fitted panel loaded; nothing of the image is cached."""
    tests = [v.case for v in judged_panel(solar_cells).verdicts][:TIMED]
    yield _timed("diagnosis.seconds", judged_panel(solar_cells).folder, tests)


def second_look_seconds() -> Iterator[Figure]:
    """The same for leaves that the panel looked at again, in crops and with evidence."""
    tests = [v.case for v in judged_panel(leaves).verdicts if v.second_look is not None][:TIMED]
    yield _timed("diagnosis.seconds_with_second_look", judged_panel(leaves).folder, tests)


def _timed(name: str, folder: Path, cases: Sequence[Case]) -> Figure:
    """Median seconds of single diagnoses after one to warm up, with a cache that holds none of the images."""
    settings = load_settings(None, {"encoder": {"cache_dir": mkdtemp(prefix="doubleread-bench-")}})
    with Panel.load(folder, settings=settings) as fresh:
        return timed(name, [seconds(partial(fresh.diagnose, case)) for case in cases], "<= 0.3")


@dataclass(frozen=True)
class JudgedPanel:
    """A panel fitted on support and calibration, saved, and judged on test."""

    folder: Path
    verdicts: tuple[Verdict, ...]
    found: Evaluation


@cache
def judged_panel(load: Callable[[], Dataset]) -> JudgedPanel:
    """Fits once a data set and process."""
    dataset = load()
    cases = _cases(dataset)
    folder = Path(mkdtemp(prefix="doubleread-bench-")) / "panel"
    with Panel.fit(cases, dataset.task) as panel:
        panel.save(folder)
        tests = [case for case in cases if case.split == "test"]
        verdicts = tuple(v for v in panel.diagnose_many(tests) if isinstance(v, Verdict))
        found = evaluate_verdicts(verdicts, panel.task, panel.profiles, name=dataset.name)
        return JudgedPanel(folder, verdicts, found)


def _cases(dataset: Dataset) -> tuple[Case, ...]:
    return split(dataset.cases, seed=0)


def _common(name: str, found: Evaluation) -> Iterator[Figure]:
    """What is reported of every data set, without a target."""
    for agent in found.agents:
        yield Figure.of(f"{name}.accuracy.{agent.reader}", agent.accuracy, agent.n, "")
        yield Figure.of(f"{name}.nll.{agent.reader}", agent.nll, agent.n, "")
    best = surest(found).reader
    gain = next(one for one in found.advantages if one.agent == best)
    yield Figure.of(f"{name}.nll_gain_over_{best}", gain.nll, gain.n, "", note="paired")
    sets, decisions, looks = found.sets, found.decisions, found.second_looks
    if sets.coverage:
        note = f"promised {sets.promised:g}, mean size {sets.size.value:.2f}"
        yield Figure.of(f"{name}.set_coverage", sets.coverage, found.labelled, "", note=note)
    if decisions.committed_accuracy:
        note = f"{decisions.referred} referred"
        yield Figure.of(
            f"{name}.committed_accuracy", decisions.committed_accuracy, decisions.committed_n, "", note=note
        )
    effects = "; ".join(f"{e.agent} +{e.helped} -{e.harmed}" for e in looks.agents if e.looked)
    yield Figure(name=f"{name}.second_looks", value=looks.share.value, n=found.n, note=effects)


def _ece(name: str, p: ReaderFigures) -> Figure:
    e = p.ece
    note = f"{e.bins} bins; chance level: mean {e.chance:.4f}, 95th percentile {e.chance_high:.4f}"
    return Figure.of(name, e, p.n, f"<= {e.chance_high:.6f}", note)
