"""Every fusion rule over every calibrator, on the recorded answers, leaves and solar cells."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves, paper_answers, solar_cells
from benchmarks.figure import Figure
from benchmarks.fusion_catalogue import CatalogueEntry, cross_fitted, judged
from doubleread.core.types import Labels, Tensor3
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets import Dataset
from doubleread.orchestrator.course.kept import readings_of as kept_readings
from doubleread.orchestrator.learning.arbitration import tensor
from doubleread.panel.feedback import calibration_rows
from doubleread.panel.panel_folder import read_panel

REPEATS = 5


def catalogue_replay() -> Iterator[Figure]:
    """The first answers on record, cross-fitted."""
    panel, readings = paper_answers()
    yield from _figures("replay", cross_fitted(tensor(panel.task, readings.first), readings.labels, REPEATS), 160)


def catalogue_leaves() -> Iterator[Figure]:
    """First answers on leaves: learned from the calibration cases, judged on the test cases."""
    yield from _local("leaves", leaves)


def catalogue_solar() -> Iterator[Figure]:
    """The same on solar cells."""
    yield from _local("solar", solar_cells)


def _local(name: str, load: Callable[[], Dataset]) -> Iterator[Figure]:
    found = judged_panel(load)
    saved = read_panel(found.folder, None)
    task, agents = saved.arbiter.task, saved.arbiter.agents
    readings = kept_readings(task, agents, calibration_rows(saved), "")
    raw, prior = tensor(task, readings.first), task.prior_vector() if task.prior else None
    unseen, truth = _first(found.verdicts, agents, task.names)
    yield from _figures(name, judged(raw, readings.labels, readings.groups, prior, unseen, truth), len(truth))


def _first(verdicts: Iterable[Verdict], agents: tuple[str, ...], names: tuple[str, ...]) -> tuple[Tensor3, Labels]:
    rows, truth = [], []
    for verdict in verdicts:
        said = {o.agent: o for o in verdict.opinions if o.round == 1}
        nothing = dict.fromkeys(names, np.nan)
        rows.append([[(said[a].probabilities if a in said else nothing)[n] for n in names] for a in agents])
        truth.append(names.index(str(verdict.case.label)))
    return np.array(rows, dtype=float), np.array(truth, dtype=np.int64)


def _figures(name: str, entries: Iterable[CatalogueEntry], n: int) -> Iterator[Figure]:
    for e in sorted(entries, key=lambda entry: entry.nll):
        yield Figure(
            name=f"catalogue.{name}.{e.rule}.{e.calibrator}",
            value=e.nll,
            n=n,
            note=f"NLL; accuracy {e.accuracy:.3f}, Brier {e.brier:.3f}, ECE {e.ece10:.3f} (10 bins) {e.ece15:.3f} "
            f"(15 bins, chance level {e.chance15:.3f}), classwise {e.classwise_ece:.3f}, AURC {e.aurc:.4f}, "
            f"surest 90 % {e.accuracy_at_90:.3f}, cross-validated NLL {e.chosen_by:.3f}",
        )
