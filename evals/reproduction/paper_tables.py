"""The paper's tables, figure by figure, beside what its recorded answers give."""

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from doubleread.core.agent_ports import Reconsiders
from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Opinion
from doubleread.core.task import Task
from doubleread.evals.paper import RecordedPanel, load_paper_panel

HALF_A_STEP = {"accuracy": 5e-5, "f1_macro": 5e-5, "mean_confidence": 5e-5, "mean_seconds": 5e-5, "mean_cost": 5e-8}
"""Rounding of the published figures."""
NAMES = {"Qwen": "qwen", "GPT": "gpt", "Orchestrator": "orchestrator"}
_NOTHING = Evidence(neighbours=())


class PublishedFigure(Record):
    """One published figure and the same figure from the record."""

    case: str
    agent: str
    figure: str
    published: float
    found: float

    @property
    def matches(self) -> bool:
        """Whether they agree within the rounding of what was published."""
        return abs(self.published - self.found) <= HALF_A_STEP[self.figure] * (1 + 1e-9)


async def paper_rows(folder: Path) -> tuple[PublishedFigure, ...]:
    """Every published figure of the three cases; raises ``DataError`` where a file of the record is missing."""
    rows = []
    for case, agents in published().items():
        panel = load_paper_panel(folder, case)
        for shown, figures in agents.items():
            answers = await last_answers(panel, NAMES[shown])
            truth = [str(one.label) for one in panel.cases]
            for figure, value in figures.items():
                found = FIGURES[figure](answers, truth, panel.task)
                rows.append(PublishedFigure(case=case, agent=shown, figure=figure, published=value, found=found))
    return tuple(rows)


def published() -> dict[str, dict[str, dict[str, float]]]:
    """Published figures by case and agent."""
    text = files("doubleread.evals.reproduction").joinpath("published.json").read_text(encoding="utf-8")
    cases: dict[str, dict[str, dict[str, float]]] = json.loads(text)["cases"]
    return cases


async def last_answers(panel: RecordedPanel, name: str) -> list[Opinion]:
    """An agent's last answer to every case, as the paper's tables count it."""
    agent = panel.orchestrator if name == "orchestrator" else panel.agents[name]
    found = [
        await (agent.reconsider(case, _NOTHING) if isinstance(agent, Reconsiders) else agent.read(case))
        for case in panel.cases
    ]
    return [answer for answer in found if isinstance(answer, Opinion)]


FIGURES: dict[str, Callable[[Sequence[Opinion], Sequence[str], Task], float]] = {
    "accuracy": lambda said, truth, _: float(np.mean([a.label == t for a, t in zip(said, truth, strict=True)])),
    "f1_macro": lambda said, truth, task: float(
        f1_score(truth, [a.label for a in said], labels=task.names, average="macro", zero_division=0)
    ),
    "mean_confidence": lambda said, _, __: float(np.mean([a.confidence for a in said])),
    "mean_seconds": lambda said, _, __: float(np.mean([a.seconds for a in said])),
    "mean_cost": lambda said, _, __: float(np.mean([a.usage.cost_usd or 0.0 for a in said])),
}
