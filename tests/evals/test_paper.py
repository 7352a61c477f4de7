"""The paper's recorded answers as panels."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from doubleread.core.agent_ports import Reconsiders
from doubleread.core.errors import DataError, UnknownPart
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Opinion
from doubleread.evals.paper import PAPER_PANELS, load_paper_panel

REAL = os.environ.get("DOUBLEREAD_PAPER", "")
NOTHING = Evidence(neighbours=())


def rows(*agents):
    found = []
    for i, label in enumerate(("rust", "scab")):
        row = {"Image": f"https://x/{i}.jpg", "Category": label}
        for agent in agents:
            said = "rust" if agent.endswith("_1") or agent == "Qwen" else label
            values = {"": said, "_reason": "spots", "_confidence": "0.9", "_time": "1.5", "_cost": "0.001"}
            row |= {agent + key: value for key, value in values.items()}
        row |= {
            "RAG_response": json.dumps(
                [{"category": label, "confidence": 0.8}, {"category": "healthy", "confidence": 0.2}]
            )
        }
        found.append({**row, "RAG_time": "0.1", "RAG_cost": "0"})
    return found


@pytest.fixture
def folder(tmp_path):
    columns = {
        "case1_zero_shot.csv": ("Qwen", "GPT", "Orchestrator"),
        "case2_fine_tuned.csv": ("Qwen", "GPT", "Orchestrator"),
        "case3_trust_rag.csv": ("Qwen_1", "GPT_1", "Qwen", "GPT", "Orchestrator"),
    }
    for name, agents in columns.items():
        found = rows(*agents)
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, found[0].keys())
            writer.writeheader()
            writer.writerows(found)
    return tmp_path


@pytest.mark.parametrize("name", PAPER_PANELS)
async def test_each_panel_replays_its_agents(folder, name):
    panel = load_paper_panel(folder, name)
    assert panel.task.names == ("black-rot", "healthy", "rust", "scab")
    assert [case.label for case in panel.cases] == ["rust", "scab"]
    for agent in panel.agents.values():
        answer = await agent.read(panel.cases[1])
        assert isinstance(answer, Opinion)
        assert answer.seconds > 0
    assert (await panel.orchestrator.read(panel.cases[1])).label == "scab"
    again = {agent for agent, one in panel.agents.items() if isinstance(one, Reconsiders)}
    assert again == ({"qwen", "gpt"} if name == "re-evaluated" else set())


async def test_both_rounds_and_the_whole_vote_are_there(folder):
    panel = load_paper_panel(folder, "re-evaluated")
    case = panel.cases[1]
    first, second = await panel.agents["gpt"].read(case), await panel.agents["gpt"].reconsider(case, NOTHING)
    assert (first.label, second.label) == ("rust", "scab")
    vote = await panel.agents["retrieval"].read(case)
    assert vote.confidence_source == "neighbours"
    assert vote.probabilities == pytest.approx({"black-rot": 0, "healthy": 0.2, "rust": 0, "scab": 0.8})


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(UnknownPart, match="unknown paper panel 'third'"):
        load_paper_panel(folder, "third")
    (folder / "case1_zero_shot.csv").unlink()
    with pytest.raises(DataError, match=r"case1_zero_shot\.csv"):
        load_paper_panel(folder, "zero-shot")


@pytest.mark.skipif(not REAL, reason="set DOUBLEREAD_PAPER to the folder with the paper's CSV files")
@pytest.mark.parametrize(
    ("name", "published"), [("zero-shot", "case1"), ("fine-tuned", "case2"), ("re-evaluated", "case3")]
)
async def test_the_real_record_is_as_accurate_as_was_published(name, published):
    figures = json.loads((Path(REAL) / "published.json").read_text())[published]
    panel = load_paper_panel(Path(REAL), name)
    assert len(panel.cases) == 160
    for agent, theirs in (("qwen", "Qwen"), ("gpt", "GPT"), ("orchestrator", "Orchestrator")):
        one = panel.agents.get(agent, panel.orchestrator)
        answers = [
            await (one.reconsider(case, NOTHING) if isinstance(one, Reconsiders) else one.read(case))
            for case in panel.cases
        ]
        right = np.mean([a.label == case.label for a, case in zip(answers, panel.cases, strict=True)])
        assert right == pytest.approx(figures[theirs]["accuracy"], abs=1e-4)
        assert np.mean([a.confidence for a in answers]) == pytest.approx(figures[theirs]["mean_confidence"], abs=1e-4)
