"""A panel's trust as reliability diagrams: each agent before and after calibration, side by side; then the panel."""

from collections.abc import Iterator

import numpy as np

from doubleread.core.trust import TrustProfile
from doubleread.core.types import Labels, Matrix
from doubleread.evals.drawings import ReliabilityPanel, reliability_grid
from doubleread.orchestrator import metrics
from doubleread.orchestrator.course.kept import readings_of
from doubleread.orchestrator.learning.arbitration import PANEL, Readings
from doubleread.orchestrator.simplex import spoken
from doubleread.orchestrator.trust.grading import graded_unseen
from doubleread.panel.feedback import keeps_readings, learned_rows, unseen_outcomes
from doubleread.panel.panel_folder import PanelFolder


def draw_trust(saved: PanelFolder) -> str:
    """An SVG of two columns, of the agents that are asked.

    A panel that kept no readings shows them before calibration only.
    """
    gone = saved.arbiter.left_out
    profiles = [p for p in saved.arbiter.profiles if p.agent not in gone]
    profiles.sort(key=lambda p: (p.agent == PANEL, p.agent, p.round))
    if not keeps_readings(saved):
        shown = [_panel(_title(p), p) for p in profiles]
        return reliability_grid(shown, title="Before calibration")
    rows = learned_rows(saved)
    readings = readings_of(saved.arbiter.task, saved.arbiter.agents, rows, "")
    pairs = [
        one for p in profiles for one in (_of_panel(saved, p) if p.agent == PANEL else _of_agent(saved, p, readings))
    ]
    return reliability_grid(pairs, title="Before calibration, and after calibration on other images", columns=2)


def reliability_of(title: str, p: Matrix, labels: Labels, bins: int) -> ReliabilityPanel:
    """One diagram of distributions ``(n, labels)``; NaN rows are left out."""
    there = spoken(p)
    p, labels = p[there], labels[there]
    if not len(labels):
        return ReliabilityPanel(title, (), None, None, 0)
    confidence, correct = metrics.confidences(p), metrics.correctness(p, labels)
    chance = metrics.ece_chance(confidence, bins, np.random.default_rng(0))
    return ReliabilityPanel(
        title=title,
        bins=metrics.reliability_bins(confidence, correct, bins),
        ece=metrics.ece(confidence, correct, bins),
        chance=chance.mean,
        chance_high=chance.high,
        n=len(labels),
    )


def _of_agent(saved: PanelFolder, p: TrustProfile, readings: Readings) -> Iterator[ReliabilityPanel]:
    arbiter, column = saved.arbiter, saved.arbiter.agents.index(p.agent)
    yield _panel(f"{_title(p)} · before calibration", p)
    after = f"{_title(p)} · after calibration"
    if p.round == 1 or arbiter.second is None:
        yield reliability_of(after, arbiter.first.held_out_calibrated[:, column], readings.labels, p.ece.bins)
    else:
        said = arbiter.second.learned.held_out_calibrated[:, -len(arbiter.agents) :][:, column]
        yield reliability_of(after, said[spoken(said)], readings.labels[spoken(said)], p.ece.bins)


def _of_panel(saved: PanelFolder, p: TrustProfile) -> Iterator[ReliabilityPanel]:
    """The panel on its calibration cases and, where there are any, on outcomes it has not learned from."""
    yield _panel("panel · calibration images", p)
    if outcomes := unseen_outcomes(saved):
        found = graded_unseen(saved.arbiter, outcomes)
        yield reliability_of("panel · confirmed outcomes", found.readers[PANEL], found.labels, p.ece.bins)


def _title(p: TrustProfile) -> str:
    return f"{p.agent}, second look" if p.round > 1 else p.agent


def _panel(title: str, p: TrustProfile) -> ReliabilityPanel:
    """A profile as one reliability diagram."""
    return ReliabilityPanel.of(title, p.reliability, p.ece, p.n)
