"""A record in the paper's layout, small and made up."""

import csv
import json
from pathlib import Path

import numpy as np

LABELS = ("black-rot", "healthy", "rust", "scab")
FILES = {
    "case1_zero_shot.csv": ("Qwen", "GPT", "Orchestrator"),
    "case2_fine_tuned.csv": ("Qwen", "GPT", "Orchestrator"),
    "case3_trust_rag.csv": ("Qwen_1", "GPT_1", "Qwen", "GPT", "Orchestrator"),
}
SKILLS = {"Qwen_1": 0.5, "GPT_1": 0.6, "Qwen": 0.7, "GPT": 0.8, "Orchestrator": 0.75}


def write_record(folder: Path, n: int = 40, *, informative: bool = True, seed: int = 0) -> Path:
    """All three files for ``n`` images; without ``informative`` no answer has anything to do with the truth."""
    rng = np.random.default_rng(seed)
    truths = [LABELS[i % 4] for i in range(n)]
    for name, agents in FILES.items():
        rows = [_row(i, truth, agents, rng, informative=informative) for i, truth in enumerate(truths)]
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _row(i, truth, agents, rng, *, informative):
    row = {"Image": f"https://x/{i}.jpg", "Category": truth}
    for agent in agents:
        right = informative and rng.random() < SKILLS.get(agent, 0.6)
        said = truth if right else LABELS[rng.integers(4)]
        cells = {"": said, "_reason": "spots", "_confidence": rng.choice([0.85, 0.95]), "_time": 1.5, "_cost": 0.001}
        row |= {agent + key: value for key, value in cells.items()}
    top = truth if informative and rng.random() < 0.9 else LABELS[rng.integers(4)]
    other = LABELS[(LABELS.index(top) + 1) % 4]
    vote = [{"category": top, "confidence": 0.8}, {"category": other, "confidence": 0.2}]
    return {**row, "RAG_response": json.dumps(vote), "RAG_time": 0.1, "RAG_cost": 0.0}
