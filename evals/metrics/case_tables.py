"""A run as a table for other tools: one flat row a case, written as a stream."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from doubleread.core.durable import replacing
from doubleread.core.task import Task
from doubleread.core.verdict import Verdict
from doubleread.evals.runs.row import Row
from doubleread.orchestrator.metrics import shown_in
from doubleread.orchestrator.metrics.metric import CaseMetric
from doubleread.rag.care import tabular

Cell = str | float | int | bool | None
_FORMULA = frozenset("=+-@＝＋－＠")

_CASE: dict[str, tabular.Kind] = {
    "index": "count",
    "id": "text",
    "source": "text",
    "group": "text",
    "subject": "text",
    "split": "text",
    "label": "text",
}
_VERDICT: dict[str, tabular.Kind] = {
    "said": "text",
    "confidence": "number",
    "right": "flag",
    "action": "text",
    "committed": "text",
    "reason": "text",
    "set": "text",
    "set_size": "count",
    "second_look": "flag",
    "alarm": "flag",
    "leaked": "flag",
    "seconds": "number",
    "cost_usd": "number",
    "problem": "text",
}
_AGENT: dict[str, tabular.Kind] = {
    "label": "text",
    "confidence": "number",
    "influence": "number",
    "no_answer": "text",
}


class CaseTable:
    """Which columns a run's table has; ``p:`` are the labels' probabilities, ``agent:`` and ``meta:`` what they say.

    ``metric:`` are metrics of another package, case by case. An agent's confidence is the calibrated
    probability of the label it named last; ``no_answer`` is why it named none. ``set`` joins its labels with ``|``. A
    case that raised the ``alarm`` has no probabilities, and no influence.
    """

    def __init__(self, task: Task, agents: Sequence[str], metadata: Sequence[str]) -> None:
        self.task, self.agents, self.metadata = task, tuple(agents), tuple(metadata)
        self._metrics = [metric for metric in shown_in("cases") if isinstance(metric, CaseMetric)]
        self.columns: dict[str, tabular.Kind] = {
            **_CASE,
            **_VERDICT,
            **{f"p:{name}": "number" for name in task.names},
            **{f"metric:{metric.name}": "number" for metric in self._metrics},
            **{f"agent:{agent}:{part}": kind for agent in self.agents for part, kind in _AGENT.items()},
            **{f"meta:{name}": "text" for name in self.metadata},
        }
        """Names in their order, and their kinds."""

    def write_csv(self, file: Path, rows: Iterable[Row]) -> None:
        """Rows in UTF-8, one at a time; text that a spreadsheet would take for a formula begins with an apostrophe."""
        with replacing(file) as part, part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out:
            writer = csv.writer(out)
            writer.writerow([_written(name) for name in self.columns])
            writer.writerows([_written(cells.get(name)) for name in self.columns] for cells in self.cells(rows))

    def write_parquet(self, file: Path, rows: Iterable[Row]) -> None:
        """The same with types, a batch at a time; raises ``StoreError`` where pyarrow is not installed."""
        with replacing(file) as part:
            tabular.write_rows(part, self.columns, self.cells(rows))

    def cells(self, rows: Iterable[Row]) -> Iterator[dict[str, Cell]]:
        """One flat row a case; a case without a verdict has a ``problem`` and no more."""
        for row in rows:
            case = row.case
            cells: dict[str, Cell] = {
                "index": row.index,
                **{name: getattr(case, name) for name in _CASE if name != "index"},
                **{f"meta:{name}": case.metadata.get(name) for name in self.metadata},
            }
            if row.verdict is not None:
                yield {**cells, **self._verdict(row.verdict)}
            elif row.unread is not None:
                yield {**cells, "action": "unread", "problem": f"{row.unread.code}: {row.unread.problem}"}

    def _verdict(self, verdict: Verdict) -> dict[str, Cell]:
        known = verdict.case.label in self.task.names
        return {
            "said": verdict.label,
            "confidence": verdict.confidence if verdict.posterior else None,
            "right": verdict.label == verdict.case.label if known else None,
            "action": verdict.decision.action,
            "committed": verdict.decision.label,
            "reason": "; ".join(verdict.decision.reasons),
            "set": "|".join(verdict.prediction_set),
            "set_size": len(verdict.prediction_set),
            "second_look": verdict.second_look is not None,
            "alarm": verdict.unfamiliar,
            "leaked": verdict.evidence is not None and bool(verdict.evidence.near_copies),
            "seconds": verdict.seconds,
            "cost_usd": verdict.cost_usd,
            **{f"p:{name}": verdict.posterior.get(name) for name in self.task.names},
            **self._values(verdict),
            **self._agents(verdict),
        }

    def _values(self, verdict: Verdict) -> dict[str, Cell]:
        if verdict.case.label not in self.task.names or not verdict.posterior:
            return {}
        P = np.array([[verdict.posterior[name] for name in self.task.names]])
        y = np.array([self.task.index(verdict.case.label)])
        return {f"metric:{metric.name}": float(metric.of(P, y)[0]) for metric in self._metrics}

    def _agents(self, verdict: Verdict) -> dict[str, Cell]:
        last = {o.agent: o for o in sorted(verdict.opinions, key=lambda o: o.round)}
        causes = {one.agent: one.cause for one in verdict.abstentions}
        cells: dict[str, Cell] = {}
        for agent in self.agents:
            said = last.get(agent)
            cells[f"agent:{agent}:influence"] = None if verdict.unfamiliar else verdict.influence.get(agent)
            if said is None:
                cells[f"agent:{agent}:no_answer"] = causes.get(agent, "not asked")
            else:
                cells[f"agent:{agent}:label"] = said.label
                cells[f"agent:{agent}:confidence"] = verdict.calibrated.get(agent, {}).get(said.label)
        return cells


def _written(cell: Cell) -> str:
    """A cell of a CSV file: flags in lower case, numbers in full, and no text that is a formula."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, str):
        return repr(cell)
    risky = cell.lstrip()[:1] in _FORMULA or cell[:1] in ("\t", "\r", "\n")
    return f"'{cell}" if risky else cell
