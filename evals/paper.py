"""The recorded answers of *Orchestrator-Agent Trust* (arXiv 2507.10571) as four panels that can be replayed."""

import csv
from dataclasses import dataclass
from pathlib import Path

from doubleread.agents.recorded.book import read_book
from doubleread.agents.recorded.columns import AnswerColumns
from doubleread.agents.recorded.recorder import RecordedAgent, replay
from doubleread.core.case import Case
from doubleread.core.errors import DataError, FileError, UnknownPart
from doubleread.core.safe_text import text_lines
from doubleread.core.task import Label, Task

TASK = Task(
    id="paper-apple-leaves",
    about="Photographs of single apple leaves; which disease, if any?",
    labels=tuple(Label(name=name) for name in ("black-rot", "healthy", "rust", "scab")),
)


def _columns(name: str, second: str = "") -> AnswerColumns:
    again = _columns(second) if second else None
    return AnswerColumns(
        key="Image",
        key_is="source",
        label=name,
        confidence=f"{name}_confidence",
        reason=f"{name}_reason",
        seconds=f"{name}_time",
        cost_usd=f"{name}_cost",
        confidence_source="verbalized",
        second=again,
    )


_RETRIEVAL = AnswerColumns(
    key="Image",
    key_is="source",
    probabilities="RAG_response",
    seconds="RAG_time",
    cost_usd="RAG_cost",
    confidence_source="neighbours",
)
_TOGETHER = {"qwen": _columns("Qwen"), "gpt": _columns("GPT")}
_FIRST = {"qwen": _columns("Qwen_1"), "gpt": _columns("GPT_1"), "retrieval": _RETRIEVAL}
_BOTH = {"qwen": _columns("Qwen_1", "Qwen"), "gpt": _columns("GPT_1", "GPT"), "retrieval": _RETRIEVAL}
PAPER_PANELS = {
    "zero-shot": ("case1_zero_shot.csv", _TOGETHER),
    "fine-tuned": ("case2_fine_tuned.csv", _TOGETHER),
    "first-answers": ("case3_trust_rag.csv", _FIRST),
    "re-evaluated": ("case3_trust_rag.csv", _BOTH),
}
"""File and agents of each panel. ``re-evaluated`` holds the first answers as round one, the later ones as round two."""


@dataclass(frozen=True)
class RecordedPanel:
    """Cases without pixels, the agents that answered them, and what the paper's own orchestrator decided."""

    task: Task
    cases: tuple[Case, ...]
    agents: dict[str, RecordedAgent]
    orchestrator: RecordedAgent


def load_paper_panel(folder: Path, name: str) -> RecordedPanel:
    """One of ``PAPER_PANELS`` from the folder with the paper's CSV files.

    Raises ``UnknownPart`` for another name, ``DataError`` for a file that is missing or is another table.
    """
    if name not in PAPER_PANELS:
        raise UnknownPart("paper panel", name, PAPER_PANELS)
    file, agents = PAPER_PANELS[name]
    path = folder / file
    return RecordedPanel(
        task=TASK,
        cases=_cases(path),
        agents={agent: _replayed(path, agent, columns) for agent, columns in agents.items()},
        orchestrator=_replayed(path, "orchestrator", _columns("Orchestrator")),
    )


def _replayed(path: Path, agent: str, columns: AnswerColumns) -> RecordedAgent:
    return replay(agent, read_book(path, columns, agent=agent, task=TASK), agent)


def _cases(path: Path) -> tuple[Case, ...]:
    """The images by their address: the pixels are not part of the record."""
    try:
        rows = list(csv.DictReader(text_lines(path)))
        return tuple(
            Case.from_bytes(row["Image"].encode(), source=row["Image"]).model_copy(update={"label": row["Category"]})
            for row in rows
        )
    except (FileError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read ({error}); name the folder with the paper's CSV files, or get them with: "
            "doubleread datasets fetch paper-answers"
        ) from None
    except KeyError as error:
        raise DataError(f"{path} is not one of the paper's tables: it has no column {error}") from None
