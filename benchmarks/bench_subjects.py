"""What several images of one subject are worth: one verdict from three shots against each shot by itself."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from benchmarks.data import leaves
from benchmarks.figure import Figure
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.splits import split
from doubleread.orchestrator.metrics import CLIP
from doubleread.orchestrator.resampling import bootstrap
from doubleread.panel import Panel

SHOTS = 3
"""Images of a subject."""


def leaves_subjects() -> Iterator[Figure]:
    """Three unseen shots of one block of captures, as one subject; trust and pooling from the calibration blocks."""
    dataset = leaves()
    cases = [case.model_copy(update={"subject": case.group}) for case in split(dataset.cases, seed=0)]
    tests = sorted((case for case in cases if case.split == "test"), key=lambda case: str(case.group))
    with Panel.fit(cases, dataset.task) as panel:
        triples = list(_triples(panel.diagnose_many(tests)))
        pooled = [panel.pool(shots) for shots in triples]
        how = next((note for note in panel.notes if note.startswith("subjects:")), "not learned")
    single = np.array([np.mean([_nll(shot) for shot in shots]) for shots in triples])
    together = np.array([_nll(one) for one in pooled])
    groups, n = [shots[0].case.group for shots in triples], len(triples)
    familiar = np.array([not any(shot.unfamiliar for shot in shots) for shots in triples])

    def share(flags: Sequence[bool]) -> float:
        return float(np.mean(flags))

    blocks = f"{len(set(groups))} blocks"
    lower = bootstrap(lambda rows: float((single - together)[rows].mean()), n, groups=groups)
    yield Figure.of("subjects.nll_below_single_shots", lower, n, "> 0", f"paired, interval over {blocks}; {how}")
    gains = (single - together)[familiar]
    some = bootstrap(lambda rows: float(gains[rows].mean()), len(gains), groups=list(np.array(groups)[familiar]))
    yield Figure.of("subjects.nll_below_single_shots_without_alarms", some, len(gains), "> 0", "the same, paired")
    yield Figure.of("subjects.nll", bootstrap(lambda rows: float(together[rows].mean()), n, groups=groups), n)
    yield Figure.of(
        "subjects.nll_single_shots", bootstrap(lambda rows: float(single[rows].mean()), n, groups=groups), n
    )
    right = share([one.label == one.case.label for one in pooled])
    alone = share([shot.label == shot.case.label for shots in triples for shot in shots])
    yield Figure(name="subjects.accuracy", value=right, n=n, note=f"single shots {alone:.3f}")
    committed = [one for one in pooled if one.decision.action == "commit"]
    wrong = sum(one.decision.label != one.case.label for one in committed)
    yield Figure(name="subjects.committed", value=len(committed) / n, n=n, note=f"{wrong} wrong")
    sets = [one.case.label in one.prediction_set for one in pooled if one.coverage is not None]
    if sets:
        yield Figure(name="subjects.set_coverage", value=share(sets), n=len(sets), note="promised 0.9")


def _triples(results: Iterable[Verdict | Unread]) -> Iterator[list[Verdict]]:
    """Shots of each block, three at a time, none twice."""
    read = [one for one in results if isinstance(one, Verdict)]
    for _, block in groupby(read, key=lambda one: one.case.group):
        shots = sorted(block, key=lambda one: one.case.metadata.get("capture", ""))
        yield from (shots[i : i + SHOTS] for i in range(0, len(shots) - SHOTS + 1, SHOTS))


def _nll(verdict: Verdict) -> float:
    return -float(np.log(max(verdict.scores.get(str(verdict.case.label), 0.0), CLIP)))
