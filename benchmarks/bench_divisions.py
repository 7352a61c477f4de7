"""Recorded first-look opinions of local agents, division by division: choices and promises without any encoding."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, Skipped
from doubleread.core.task import Costs
from doubleread.core.types import Labels, Tensor3, Vector
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.learning.assumed_prior import Assumed
from doubleread.orchestrator.learning.choice import AUTO, choose
from doubleread.orchestrator.learning.fusion_learning import Sample, learn
from doubleread.orchestrator.metrics import Gain, log_gain, nll
from doubleread.orchestrator.ood.familiarity import Familiarity
from doubleread.orchestrator.resampling import group_codes
from doubleread.orchestrator.simplex import shares, spoken

OPINIONS = "DOUBLEREAD_OPINIONS"
"""Environment variable with the folder of recorded opinions, an ``.npz`` file a division."""
SUPPORT_PRIOR = ("logistic",)
"""Agents whose opinions assume the label shares of their support; those of the others are class-balanced."""
CLEARLY = 1.96
FOLDS = 5


@dataclass(frozen=True)
class Division:
    """Opinions on calibration and test cases, ``(n, agents, k)``, NaN where there is none."""

    name: str
    cal: Tensor3
    y: Labels
    groups: NDArray[np.str_]
    near: Vector
    test: Tensor3
    truth: Labels
    new: NDArray[np.str_]
    near_test: Vector
    assumed: Assumed
    agents: tuple[str, ...]

    @classmethod
    def of(cls, file: Path) -> "Division":
        """Reads one file."""
        with np.load(file, allow_pickle=False) as d:
            k = len(d["labels"])
            agents = tuple(str(name) for name in d["agents"])
            support, balanced = shares(d["ytr"], k), np.full(k, 1 / k)
            return cls(
                name=file.stem,
                cal=d["cal"],
                y=d["ycal"].astype(np.int64),
                groups=d["gcal"].astype(str),
                near=d["ncal"],
                test=d["test"],
                truth=d["ytest"].astype(np.int64),
                new=d["gtest"].astype(str),
                near_test=d["ntest"],
                assumed=tuple(support if name in SUPPORT_PRIOR else balanced for name in agents),
                agents=agents,
            )


@dataclass(frozen=True)
class Kept:
    """What came of one division: the gain in log-loss over the agent that is best on the test data, and what was
    promised."""

    name: str
    gain: Gain
    coverage: float
    alarms: float
    committed: float
    right: float


def divisions() -> Iterator[Figure]:
    """One look: the panel against the agent that is best on the test data, sets, alarms and commitments on unseen
    groups."""
    found = [_judge(one) for one in _load()]
    n = len(found)
    means = [one.gain.mean for one in found]
    worse = [one for one in found if one.gain.mean < -one.gain.error]
    clearly = [one for one in found if one.gain.mean < -CLEARLY * one.gain.error]
    note = "beyond one standard error clustered by group: " + (", ".join(one.name for one in worse) or "none")
    yield _figure("no_worse_than_best_agent", 1 - len(worse) / n, n, ">= 0.9", note)
    names = ", ".join(f"{one.name} {one.gain.line}" for one in clearly) or "none"
    yield _figure("clearly_worse_than_best_agent", len(clearly), n, "<= 0", f"beyond 1.96 standard errors: {names}")
    note = "mean, minimum and maximum; divisions of one set overlap"
    yield Figure.over("divisions.nll_below_best_agent", means, ">= 0", note)
    solar = [one for one in found if one.name.startswith("solar.d")]
    if solar:
        covered = [one.coverage for one in solar]
        each = f"new modules counted alike; {len(solar)} divisions, minimum and maximum"
        yield Figure.over("divisions.solar.set_coverage", covered, ">= 0.9", each)
        yield _figure("solar.worst_set_coverage", min(covered), len(solar), ">= 0.86", "of the divisions")
        yield Figure.over("divisions.solar.false_alarms", [one.alarms for one in solar], "<= 0.025", each)
    kept = float(np.mean([one.right >= 1 - Costs().referral for one in found if one.committed]))
    least = min((one.right for one in found if one.committed), default=float("nan"))
    yield _figure("committed_as_costs_imply", kept, n, ">= 0.95", f"right on at least 80 %; least {least:.3f}")


def _load() -> list[Division]:
    folder = os.environ.get(OPINIONS, "")
    files = sorted(Path(folder).expanduser().glob("*.npz")) if folder else []
    if not files:
        raise Skipped(f"set {OPINIONS}=/path/to/opinions (a folder with an .npz file a division)")
    return [Division.of(file) for file in files]


def _judge(d: Division) -> Kept:
    groups, like = d.groups.tolist(), d.assumed
    sample = Sample(d.y, groups, assumed=like, folds=FOLDS)
    panel = choose(d.cal, sample, calibrator=AUTO, rule=AUTO).learned
    P = panel.fuse(d.test)
    alone = learn(d.cal, sample, rule="log-pool").calibrate(d.test)
    heard = [i for i in range(len(d.agents)) if spoken(alone[:, i]).all()]
    best = min(heard, key=lambda i: nll(alone[:, i], d.truth))
    sets = ConformalSets.fit(panel.held_out, d.y, groups=groups)
    inside = sets.inside(sets.p_values(P))[np.arange(len(d.truth)), d.truth]
    alarms = Familiarity.fit(d.near, d.cal, groups=groups).alarms(d.near_test, d.test)
    committed = (P.max(axis=1) >= 1 - Costs().referral) & ~alarms
    right = P.argmax(axis=1) == d.truth
    return Kept(
        name=d.name,
        gain=log_gain(alone[:, best], P, d.truth, d.new),
        coverage=_by_group(inside, d.new),
        alarms=float(alarms.mean()),
        committed=float(committed.mean()),
        right=float(right[committed].mean()) if committed.any() else 1.0,
    )


def _by_group(flags: NDArray[np.bool_], groups: NDArray[np.str_]) -> float:
    codes = group_codes(groups, len(groups))
    return float(np.mean([flags[codes == g].mean() for g in np.unique(codes)]))


def _figure(name: str, value: float, n: int, target: str, note: str) -> Figure:
    return Figure(name=f"divisions.{name}", value=value, n=n, target=target, note=note)
