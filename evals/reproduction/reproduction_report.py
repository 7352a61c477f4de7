"""The whole reproduction: the paper's tables again, and doubleread on the same answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from doubleread.core.base import Record
from doubleread.core.opinion import Answer
from doubleread.core.progress import Progress, silent
from doubleread.core.task import Task
from doubleread.core.types import Labels
from doubleread.evals.drawings import ReliabilityPanel, reliability_grid, risk_coverage_diagram
from doubleread.evals.paper import load_paper_panel
from doubleread.evals.reproduction._published_figures import System, SystemGain, SystemScores, differences, scores
from doubleread.evals.reproduction.paper_replay import RETRIEVAL, readings_of, replay
from doubleread.evals.reproduction.paper_tables import PublishedFigure, last_answers, paper_rows
from doubleread.orchestrator import metrics
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Learning, Readings, tensor
from doubleread.orchestrator.learning.choice import choose
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.render.html import environment, style_sheet

AGENTS = ("qwen", "gpt", RETRIEVAL)
OURS, ONE_LOOK, CASCADE = "doubleread", "doubleread, no second looks", "doubleread, cascade"
RETRIEVAL_ALONE = f"{RETRIEVAL}, calibrated"
CASCADE_SHARE = 0.2
"""Share of the images on which the cascade may call the models."""
PAPERS = "paper's orchestrator"


class Reproduction(Record):
    """Everything that was found. ``curves`` are risk against coverage, by system."""

    rows: tuple[PublishedFigure, ...]
    scores: tuple[SystemScores, ...]
    differences: tuple[SystemGain, ...]
    curves: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    images: int
    repeats: int
    folds: int

    @property
    def matching(self) -> int:
        """Published figures that are reproduced from the record, within rounding."""
        return sum(row.matches for row in self.rows)


async def reproduce_paper(
    folder: Path, *, learning: Learning, policy: Policy, repeats: int = 20, folds: int = 5, progress: Progress = silent
) -> Reproduction:
    """Raises ``DataError`` where the folder does not hold the paper's recorded answers."""
    rows = await paper_rows(folder)
    panel = load_paper_panel(folder, "re-evaluated")
    readings = await readings_of(panel, AGENTS)
    labels, task = readings.labels, panel.task

    def cross_fitted(name: str, **changes: float) -> System:
        found = replay(
            task,
            AGENTS,
            readings,
            learning=learning,
            policy=policy.model_copy(update=changes),
            repeats=repeats,
            folds=folds,
            progress=_named(progress, name),
        )
        return System(name, found.posterior, float(found.cost_usd.mean()), float(found.looked_again.mean()))

    systems = [
        cross_fitted(OURS),
        cross_fitted(ONE_LOOK, max_rounds=1),
        cross_fitted(CASCADE, ask_share=CASCADE_SHARE),
        _calibrated_retrieval(task, readings, learning, repeats, folds),
        *_recorded(task, readings),
        _whole_pipeline(await last_answers(panel, "orchestrator"), readings, task),
    ]
    return Reproduction(
        rows=rows,
        scores=tuple(scores(system, labels) for system in systems),
        differences=differences(systems[0], {system.name: system for system in systems[1:]}, labels),
        curves={system.name: _curve(system, labels) for system in systems if system.name in (OURS, CASCADE, PAPERS)},
        images=len(labels),
        repeats=repeats,
        folds=folds,
    )


def page(found: Reproduction) -> str:
    """One self-contained HTML file."""
    drawn = {
        "reliability": reliability_grid(
            [ReliabilityPanel.of(s.name, s.reliability, s.ece, sum(b.n for b in s.reliability)) for s in found.scores],
            title="Can the confidence be trusted?",
        ),
        "risk": risk_coverage_diagram(found.curves, n=found.images),
    }
    template = environment("doubleread.evals.reproduction").get_template("page.html")
    drawings = {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 - drawn by us, text escaped
    style = Markup(style_sheet())  # noqa: S704 - our own file
    return template.render(r=found, drawings=drawings, style=style, seen=set[str]())


def _recorded(task: Task, readings: Readings) -> list[System]:
    systems = [System.recorded(f"{name}, first answer", _of(readings.first, i), task) for i, name in enumerate(AGENTS)]
    again = [
        System.recorded(f"{name}, second look", _of(readings.second, i), task, looked_again=1.0)
        for i, name in enumerate(AGENTS)
        if name != RETRIEVAL
    ]
    systems[-1] = System(f"{RETRIEVAL} alone", systems[-1].posterior, systems[-1].cost_usd)
    return [*systems, *again]


def _whole_pipeline(decisions: Sequence[Answer], readings: Readings, task: Task) -> System:
    """The paper's orchestrator at the cost of all it needs: both answers of every agent, and its own."""
    found = System.recorded(PAPERS, decisions, task)
    again = [a for case in readings.second for a in case if a.round > 1]
    asked = [*(a for case in readings.first for a in case), *again]
    spent = sum(answer.usage.cost_usd or 0.0 for answer in asked) / len(decisions)
    return System(PAPERS, found.posterior, found.cost_usd + spent, looked_again=1.0)


def _calibrated_retrieval(task: Task, readings: Readings, learning: Learning, repeats: int, folds: int) -> System:
    alone = tensor(task, readings.first)[:, [AGENTS.index(RETRIEVAL)]]
    held_out = [
        choose(
            alone, Sample(readings.labels, prior=task.prior_vector(), folds=folds, seed=seed),
            rule="log-pool", calibrator=learning.calibrator,
        ).learned.held_out
        for seed in range(repeats)
    ]  # fmt: skip
    return System(RETRIEVAL_ALONE, np.array(held_out))


def _of(answers: Sequence[Sequence[Answer]], agent: int) -> list[Answer]:
    return [case[agent] for case in answers]


def _curve(system: System, labels: Labels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Risk against coverage of the first repeat."""
    P = system.posterior[0]
    found = metrics.risk_coverage(metrics.confidences(P), metrics.correctness(P, labels))
    return tuple(found.coverage.tolist()), tuple(found.risk.tolist())


def _named(progress: Progress, name: str) -> Progress:
    return lambda stage, done, total: progress(f"{stage}: {name}", done, total)
