"""Runs in folders, made of verdicts, and their reports."""

import re
from datetime import UTC, datetime

import numpy as np
from kit import case_of
from verdicts_kit import AB, verdict

from doubleread.core.verdict import Unread
from doubleread.evals.metrics.calculation import evaluate
from doubleread.evals.metrics.gates import check
from doubleread.evals.metrics.run_columns import read_columns
from doubleread.evals.report import write_report
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import RECORD, ROWS, read_record, read_rows
from doubleread.evals.runs.run_record import RunRecord
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.trust.profile import profile

EVIL = """<script>alert('1')</script>"><img src=x onerror=alert(2)>&amp; ' " </svg></style> ]]>"""


def write_run(folder, rows, task=AB, *, agent="x", name="leaves", notes=()):
    p, y = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]), np.array([0, 1, 1])
    trust = profile(agent, task, p, y, calibrator=CALIBRATORS.get("none")().fit(p, y), calibrated_P=p)
    record = RunRecord(
        name=name,
        cases=len(rows),
        digest="d",
        panel="p",
        task=task,
        trust=(trust,),
        archive="1",
        settings={"seed": 1},
        provenance={"git": None},
        seed=0,
        notes=notes,
        started=datetime(2026, 1, 2, tzinfo=UTC),
    )
    folder.mkdir(exist_ok=True)
    (folder / RECORD).write_text(record.model_dump_json())
    (folder / ROWS).write_text("".join(row.line() + "\n" for row in rows))
    return folder


def rows_of(results):
    return [
        Row(index=i, case=case_of(r.source), unread=r)
        if isinstance(r, Unread)
        else Row(index=i, case=r.case, verdict=r)
        for i, r in enumerate(results)
    ]


def words_of(html):
    """The glossary words that a page links; each must be explained on it."""
    linked, explained = (set(re.findall(rf'{name}="#?(word-[^"]+)"', html)) for name in ("href", "id"))
    assert linked <= explained
    return linked


def report_of(folder, gates=(), by=()):
    run = read_record(folder)
    found = evaluate(read_columns(read_rows(folder), run.task, run.trust, by), name=run.name, draws=50)
    return write_report(folder, found, gates=check(found, gates))


def hostile(name):
    """A verdict that says no good wherever it can say something."""
    v = verdict(name, EVIL, 0.3, agent=0.4)
    said = {"agent": EVIL, "label": EVIL, "probabilities": {EVIL: 0.6, "b": 0.4}, "reason": EVIL}
    return v.model_copy(
        update={
            "case": v.case.model_copy(update={"metadata": {"site": EVIL}, "split": name, "group": EVIL + name}),
            "task": EVIL,
            "posterior": {EVIL: 0.3, "b": 0.7},
            "prediction_set": (EVIL,),
            "decision": v.decision.model_copy(update={"label": EVIL, "reasons": (EVIL,)}),
            "opinions": tuple(o.model_copy(update=said) for o in v.opinions),
            "calibrated": {},
            "warnings": (EVIL,),
        }
    )
