"""From readings to the figures of each condition."""

from collections.abc import Sequence

import numpy as np

from doubleread.core.types import Matrix, Tensor3
from doubleread.evals.stress.figures import FIGURES
from doubleread.evals.stress.stress_reading import Fate, Readings
from doubleread.evals.stress.stress_record import Condition, Measured
from doubleread.orchestrator.metrics.draws import Draws, estimate, ratio, with_wilson

_DRAWS = 1000


class Measures:
    """Makes figures of the images ``kept``, with 95 % intervals over draws of whole ``groups``, one an image."""

    def __init__(self, found: Readings, kept: Sequence[int], groups: Sequence[str | None]) -> None:
        self._figures, self._fates = found.figures[kept], found.fates[kept]
        self._draws = Draws(groups, draws=_DRAWS, seed=0)
        self.groups = self._draws.clusters

    def condition(self, corruption: str, severity: int, cells: Sequence[int]) -> Condition:
        """What came of one cell, or of several together."""
        fates = self._fates[:, cells]
        return Condition(
            corruption=corruption,
            severity=severity,
            n=int(np.isin(fates, (Fate.READ, Fate.SILENT)).sum()),
            failed=int((fates == Fate.FAILED).sum()),
            impossible=int((fates == Fate.IMPOSSIBLE).sum()),
            silent=int((fates == Fate.SILENT).sum()),
            figures=self._measured(self._figures[:, cells]),
        )

    def _measured(self, values: Tensor3) -> dict[str, Measured]:
        """Means of ``(cases, cells, figures)`` over both cases and cells; the cells of a case are drawn together."""
        counts = np.asarray((~np.isnan(values)).sum(axis=1), float)
        sums: Matrix = np.nansum(values, axis=1)
        means = ratio(self._draws.sums(sums), self._draws.sums(counts))
        measured = {}
        for i, (name, figure) in enumerate(FIGURES.items()):
            e = estimate(means[:, i])
            if figure.share:
                e = with_wilson(e, int((counts[:, i] > 0).sum()))
            if e is not None:
                measured[name] = Measured(value=e.value, low=e.low, high=e.high, n=int(counts[:, i].sum()))
        return measured
