"""How well images unlike the calibration images are told from similar ones.

Near: the panel is fitted on three kinds of leaves and shown the fourth; four times. Far: the same panels
are shown solar cells, flat colours and noise. Without second looks, which familiarity does not depend on.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from PIL import Image

from benchmarks.data import leaves, solar_cells
from benchmarks.figure import Figure
from benchmarks.ood_scoring import OURS, Scored, alarms, gain, mean_over, passed_at_95
from benchmarks.ood_trial import Trial, leave_each_out
from doubleread.orchestrator.ood.familiarity import ALARM_RATE
from doubleread.panel.image_stream import Readable
from doubleread.settings import load_settings

EVERY = 18
"""Of the solar cells, in file order, one in so many is shown."""
DRAWN = 20
"""Flat pictures, and as many of noise."""
RIVALS = ("cooked.msp", "cooked.entropy", "posterior.entropy", "nearest-case", "nearness")


def ood_near() -> Iterator[Figure]:
    """A label the panel has never seen, among those it knows."""
    trial = _trial()
    panels, groups = trial.near, trial.groups
    n = len(groups)
    yield Figure.of("ood.near.auroc", mean_over(panels, OURS, groups), n, ">= 0.9", "mean over the left-out labels")
    for label, panel in zip(trial.left_out, panels, strict=True):
        yield Figure.of(f"ood.near.auroc.{label}", mean_over([panel], OURS, groups), n, note=_in_short(panel))
    for method in panels[0].scores:
        if method != OURS:
            yield Figure.of(f"ood.near.auroc.{method}", mean_over(panels, method, groups), n, note=_note(trial, method))
    for than in ("cooked.msp", "cooked.entropy"):
        yield Figure.of(f"ood.near.gain_over_{than}", gain(panels, OURS, than, groups), n, "> 0", "paired")
    passed = mean_over(panels, OURS, groups, passed_at_95)
    yield Figure.of("ood.near.passed_at_95", passed, n, note="unfamiliar leaves among the 95 % most familiar")
    yield Figure.of("ood.near.caught", alarms(panels, groups, unfamiliar=True), n, note="share that raises the alarm")
    false = alarms(panels, groups, unfamiliar=False)
    yield Figure.of("ood.false_alarms", false, n, f"<= {ALARM_RATE}", "familiar test leaves, mean over panels")


def ood_far() -> Iterator[Figure]:
    """Images of another world."""
    trial = _trial()
    for kind, panels in trial.far.items():
        groups, name = trial.far_groups[kind], f"ood.far.auroc.{kind}"
        n = len(groups)
        note = f"{panels[0].unfamiliar.sum()} unfamiliar, mean over the panels"
        yield Figure.of(name, mean_over(panels, OURS, groups), n, ">= 0.99", note)
        for method in RIVALS:
            yield Figure.of(f"{name}.{method}", mean_over(panels, method, groups), n, note=_note(trial, method))
        yield Figure.of(f"ood.far.caught.{kind}", alarms(panels, groups, unfamiliar=True), n, note="raises the alarm")


@cache
def _trial() -> Trial:
    elsewhere: dict[str, Sequence[Readable]] = {
        "solar-cells": solar_cells().cases[::EVERY],
        "flat": _drawn(1),
        "noise": _drawn(96),
    }
    return leave_each_out(leaves(), elsewhere, load_settings(None, {"second_look": {"max_rounds": 1}}))


def _drawn(side: int) -> list[Image.Image]:
    """Pictures of ``side`` × ``side`` patches of random colour."""
    rng = np.random.default_rng(0)
    patches = [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(DRAWN)]
    return [Image.fromarray(one).resize((96, 96), Image.Resampling.NEAREST) for one in patches]


def _in_short(panel: Scored) -> str:
    passed = panel.of(passed_at_95, OURS, np.arange(len(panel.alarm)))
    false, caught = panel.alarm[panel.familiar].mean(), panel.alarm[panel.unfamiliar].mean()
    return (
        f"{panel.unfamiliar.sum()} unfamiliar; at 95 % of familiar ones let through, {passed:.0%} of them pass; "
        f"alarm for {caught:.0%} of them and {false:.1%} of familiar ones"
    )


def _note(trial: Trial, method: str) -> str:
    zero_shot = "zero-shot.msp" in trial.near[0].scores
    return (
        ("the encoder has no text model, so there is no zero-shot CLIP") if "cooked" in method and not zero_shot else ""
    )
