"""What a run comes to for subjects: one verdict each, beside those of their images."""

from collections.abc import Sequence

import numpy as np

from doubleread.core.types import Vector
from doubleread.evals.metrics.evaluation import SubjectFigures
from doubleread.evals.metrics.run_columns import NONE, RunColumns, read_columns
from doubleread.evals.runs.row import Row
from doubleread.orchestrator.metrics import losses
from doubleread.orchestrator.metrics.draws import Draws, certain
from doubleread.orchestrator.simplex import spoken


def subject_figures(rows: Sequence[Row], images: RunColumns, *, draws: int, seed: int) -> SubjectFigures | None:
    """Figures of subjects from their rows; None without any. ``images`` are the columns of the same run."""
    columns = read_columns(rows, images.task, ())
    if not columns.n:
        return None
    drawn = Draws(columns.groups, draws=draws, seed=seed)
    judged, committed = columns.labelled & spoken(columns.posterior), columns.committed != NONE
    nll, alone = np.zeros(columns.n), _alone(rows, images)
    nll[judged] = losses(columns.posterior[judged], columns.labels[judged])
    both = judged & ~np.isnan(alone)
    verdicts = [row.verdict for row in rows if row.verdict is not None]
    promised = np.array([one.coverage is not None for one in verdicts]) & columns.labelled
    return SubjectFigures(
        n=columns.n,
        images=sum(one.images for one in verdicts),
        several=sum(one.images > 1 for one in verdicts),
        labelled=int(columns.labelled.sum()),
        accuracy=drawn.share(columns.said == columns.labels, judged),
        nll=drawn.mean(nll, judged),
        nll_gain=drawn.mean(np.where(both, alone - nll, 0.0), both) if both.any() else None,
        committed=int(committed.sum()),
        referred=int((~committed).sum()),
        commitment=certain(drawn.share(committed)),
        committed_accuracy=drawn.share(columns.committed == columns.labels, committed & columns.labelled),
        promised=columns.promised,
        coverage=drawn.share(columns.sets[np.arange(columns.n), columns.labels] & columns.labelled, promised),
        clusters=drawn.clusters,
    )


def _alone(rows: Sequence[Row], images: RunColumns) -> Vector:
    """Mean log-loss of each subject's single images; NaN without any that is judged."""
    judged = images.labelled & spoken(images.posterior)
    found = dict(
        zip(
            (name for name, there in zip(images.ids, judged.tolist(), strict=True) if there),
            losses(images.posterior[judged], images.labels[judged]).tolist(),
            strict=True,
        )
    )
    shots = [row.verdict.shots for row in rows if row.verdict is not None]
    each = [[found[shot.case.id] for shot in one if shot.case.id in found] for one in shots]
    return np.array([np.mean(values) if values else np.nan for values in each])
