"""Wrong labels found again, and label shares of unlabelled batches estimated."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves
from benchmarks.figure import Figure
from doubleread.core.types import Labels, Vector
from doubleread.core.verdict import Verdict
from doubleread.evals.suspects.ranking import rank
from doubleread.orchestrator.prevalence.batch_prevalence import BatchPrevalence, batch_prevalence
from doubleread.panel.composition import open_eyes
from doubleread.panel.feedback import learned_rows
from doubleread.panel.panel_folder import read_panel
from doubleread.settings import load_settings

SEEDS = 3
FLIPPED = 0.05
BATCHES, BATCH = 200, 120


def label_errors() -> Iterator[Figure]:
    """Of the leaves to learn from, 5 % get another label at random; are they found? The same for three seeds."""
    usable = [case for case in leaves().cases if case.split != "test"]
    eyes = open_eyes(load_settings())
    try:
        seen = eyes.embedder.embed_all(usable)
    finally:
        eyes.close()
    cases = [usable[i] for i in seen.kept]
    names = sorted({str(case.label) for case in cases})
    labels = np.array([names.index(str(case.label)) for case in cases], dtype=np.int64)
    groups = [case.group or case.id for case in cases]
    found = [_found_again(seen.embeddings[:, 0], labels, groups, seed) for seed in range(SEEDS)]
    for name, column, target in (("average_precision", 0, ">= 0.9"), ("precision_at_n", 1, ">= 0.85")):
        values = [one[column] for one in found]
        told = ", ".join(f"{value:.3f}" for value in values)
        note = f"mean, minimum and maximum of {SEEDS} seeds: {told}"
        yield Figure.over(f"label_errors.{name}", values, target, note, n=len(cases))
    counted = [one[2] for one in found]
    note = "expected number of wrong labels over the number flipped"
    yield Figure.over("label_errors.estimate_over_truth", counted, note=note, n=len(cases))


def flipped(labels: Labels, share: float, seed: int) -> tuple[Labels, NDArray[np.bool_]]:
    """The labels with a share of them changed to another one at random, and which ones were."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(labels), round(share * len(labels)), replace=False)
    changed, n_labels = labels.copy(), int(labels.max()) + 1
    changed[rows] = (labels[rows] + rng.integers(1, n_labels, len(rows))) % n_labels
    return changed, np.asarray(changed != labels)


def _found_again(
    rows: NDArray[np.float32], labels: Labels, groups: Sequence[str], seed: int
) -> tuple[float, float, float]:
    from sklearn.metrics import average_precision_score  # noqa: PLC0415 - slow to import

    given, wrong = flipped(labels, FLIPPED, seed)
    ranking = rank(rows, given, list(groups))
    precision = float(average_precision_score(wrong, -ranking.probability))
    n = int(wrong.sum())
    return precision, float(wrong[ranking.order[:n]].mean()), ranking.wrong.value / n


def prevalence() -> Iterator[Figure]:
    """Batches of 120 of the test leaves at label shares drawn at random: is the estimate right, and its interval?"""
    judged = judged_panel(leaves)
    saved = read_panel(judged.folder, None)
    rows, names = learned_rows(saved), saved.arbiter.task.names
    pool = {name: [v for v in judged.verdicts if v.case.label == name] for name in names}
    rng = np.random.default_rng(0)
    found: list[tuple[Vector, BatchPrevalence]] = []
    for seed in range(BATCHES):
        batch = _batch(pool, rng)
        truth = np.array([sum(v.case.label == name for v in batch) for name in names]) / len(batch)
        found.append((truth, batch_prevalence(saved.arbiter, rows, batch, seed=seed)))
    told = [(truth, one.labels) for truth, one in found if one.labels]
    errors = [abs(label.share - t) for truth, labels in told for t, label in zip(truth, labels, strict=True)]
    assumed = [abs(label.now - t) for truth, labels in told for t, label in zip(truth, labels, strict=True)]
    held = [
        label.low - 1e-9 <= t <= label.high + 1e-9
        for truth, labels in told
        for t, label in zip(truth, labels, strict=True)
    ]
    yield Figure(
        name="prevalence.absolute_error", value=float(np.mean(errors)), high=float(np.quantile(errors, 0.95)),
        n=len(told), note=f"mean and 95th percentile; of the assumed shares {np.mean(assumed):.3f}",
    )  # fmt: skip
    yield Figure(name="prevalence.coverage", value=float(np.mean(held)), n=len(told), target=">= 0.9")
    refused = 1 - len(told) / BATCHES
    yield Figure(name="prevalence.refused", value=refused, n=BATCHES, target="<= 0.05", note="only labels had shifted")


def _batch(pool: dict[str, list[Verdict]], rng: np.random.Generator) -> list[Verdict]:
    """Test cases at label shares drawn evenly from all there are; none twice."""
    sizes = rng.multinomial(BATCH, rng.dirichlet(np.ones(len(pool))))
    chosen: list[Verdict] = []
    for cases, size in zip(pool.values(), sizes.tolist(), strict=True):
        picked = rng.choice(len(cases), min(size, len(cases)), replace=False)
        chosen += [cases[i] for i in picked]
    return chosen
