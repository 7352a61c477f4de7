"""Runs made of verdicts that say what they are told."""

from collections.abc import Sequence

import numpy as np
from kit import case_of
from verdicts_kit import AB, verdict

from doubleread.core.verdict import Unread
from doubleread.evals.metrics.run_columns import read_columns
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_record import RunRecord
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.trust.profile import profile


def trust(kind="none"):
    """The panel's profiles: agent ``x`` with a calibrator fitted on made-up scores, and the panel's own."""
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    y = np.array([0, 0, 1, 1, 0, 1])
    made = CALIBRATORS.get(kind)().fit(p, y)
    return (profile("x", AB, p, y, calibrator=made, calibrated_P=p), profile("panel", AB, p, y))


def rows_of(verdicts):
    return [Row(index=i, case=v.case, verdict=v) for i, v in enumerate(verdicts)]


def unread(index, name="torn", code="corrupt"):
    return Row(index=index, case=case_of(name, label="a"), unread=Unread(source=name, code=code, problem="cut short"))


def of_case(v, **fields):
    """The verdict on a case with other fields."""
    return v.model_copy(update={"case": v.case.model_copy(update=fields)})


def columns_of(verdicts: Sequence, task=AB, by=()):
    return read_columns(iter(rows_of(verdicts)), task, trust(), by)


def simulated(n, groups=None, seed=0, sure=0.9):
    """A calibrated panel on ``n`` cases of two labels, in ``groups`` groups."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        p = float(rng.uniform(1 - sure, sure))
        truth = "a" if rng.random() < p else "b"
        v = verdict(f"{seed}-{i}", truth, p, agent=min(max(p + 0.1, 0.01), 0.99))
        found.append(v if groups is None else of_case(v, group=f"g{i % groups}"))
    return found


def run_folder(folder, verdicts, task=AB, extra=()):
    """A run on disk."""
    folder.mkdir(parents=True)
    record = RunRecord.model_validate(
        {
            "name": "leaves",
            "cases": len(verdicts) + len(extra),
            "digest": "d",
            "panel": "p",
            "task": task,
            "trust": trust(),
            "archive": "v1",
            "settings": {},
            "provenance": {},
            "seed": 0,
            "started": "2026-05-01T12:00:00Z",
        }
    )
    (folder / "run.json").write_text(record.model_dump_json(), encoding="utf-8")
    lines = [row.line() for row in (*rows_of(verdicts), *extra)]
    (folder / "rows.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder
