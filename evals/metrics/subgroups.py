"""The panel on the cases that share a value of a column: where it is better and where it is worse."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from doubleread.core.errors import DataError
from doubleread.evals.metrics.evaluation import Subgroup
from doubleread.evals.metrics.run_columns import SPLIT, RunColumns
from doubleread.orchestrator.metrics import Flags, losses
from doubleread.orchestrator.metrics.calibration_metrics import expected_error
from doubleread.orchestrator.metrics.draws import Draws
from doubleread.orchestrator.metrics.metric import Sample
from doubleread.orchestrator.simplex import spoken

SMALL = 10
MOST = 100
"""Values of a column; more are no subgroups."""


def subgroups(columns: RunColumns, draws: Draws) -> Iterator[Subgroup]:
    """Column by column, the largest first; the split only where cases come from more than one.

    Raises ``DataError`` for a column of more than a hundred values.
    """
    for column, values in columns.subgroups.items():
        counts = Counter(value for value, known in zip(values, columns.labelled.tolist(), strict=True) if known)
        if len(counts) > MOST:
            raise DataError(
                f"column {column!r} has {len(counts):,} different values; subgroups can be made of at most {MOST}: "
                "name a column that many cases share a value of"
            )
        if column == SPLIT and len(counts) < 2:
            continue
        for value, n in counts.most_common():
            yield _subgroup(column, value, n, _rows(columns, values, value), columns, draws)


def _rows(columns: RunColumns, values: Sequence[str], value: str) -> Flags:
    """Labelled cases of a value on which the panel spoke."""
    same = np.fromiter((one == value for one in values), bool, columns.n)
    return np.asarray(same & columns.labelled & spoken(columns.posterior))


def _subgroup(column: str, value: str, n: int, rows: Flags, columns: RunColumns, draws: Draws) -> Subgroup:
    P, y = columns.posterior[rows], columns.labels[rows]
    nll = np.zeros(columns.n)
    nll[rows] = losses(P, y)
    return Subgroup(
        column=column,
        value=value,
        n=n,
        small=n < SMALL,
        accuracy=draws.share(columns.said == columns.labels, rows),
        nll=draws.mean(nll, rows),
        ece=expected_error(Sample(P, y, draws, rows)) if rows.any() else None,
    )
