"""The main job, end to end: split data, fit a panel, judge it on images it has never seen."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.durable import write_text
from doubleread.core.errors import FileError
from doubleread.core.progress import Progress
from doubleread.core.safe_files import read_json
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets import Dataset
from doubleread.evals.datasets.label_names import TEST
from doubleread.evals.panel_evaluation import PanelEvaluation, judge_run
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import read_rows
from doubleread.panel import Panel
from doubleread.panel.saving import check_target, clear_leftovers
from doubleread.settings import Settings

RUN = "run"


@dataclass(frozen=True)
class DemoOutcome:
    """What the run came to and where it lies."""

    judged: PanelEvaluation
    rows: tuple[Row, ...]
    reused: bool


def judge(
    dataset: Dataset,
    cases: tuple[Case, ...],
    folder: Path,
    settings: Settings,
    report: Progress,
    announce: Callable[[Panel], None],
) -> DemoOutcome:
    """Fits on support and calibration into ``folder/panel``, and judges on test in ``folder/run``.

    A panel already there that was fitted on the same cases with the same settings is used again, and so are its
    verdicts. Raises ``KeyboardInterrupt`` where the run was stopped; what was done is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest = fingerprint(cases, dataset.task.model_dump(mode="json"), settings)
    reused = _digest_of(folder) == digest
    if not reused:
        clear_leftovers(folder / "panel")
        check_target(folder / "panel")
        (folder / "fitted.json").unlink(missing_ok=True)
        with Panel.fit(cases, dataset.task, settings=settings, progress=report) as fresh:
            fresh.save(folder / "panel")
        shutil.rmtree(folder / RUN, ignore_errors=True)  # of the panel that was there before
        write_text(folder / "fitted.json", json.dumps({"digest": digest}))
    with Panel.load(folder / "panel", settings=settings) as panel:
        announce(panel)
        ended = evaluate(
            panel,
            dataset.with_cases(cases),
            RunChoice(folder / RUN, split=TEST),
            watch=lambda tally: report("diagnosing unseen images", tally.done, tally.total or tally.done),
        )
    if ended.end != "complete":
        raise KeyboardInterrupt
    return DemoOutcome(judge_run(folder / RUN), tuple(read_rows(folder / RUN)), reused)


def fingerprint(cases: tuple[Case, ...], task: Json, settings: Settings) -> str:
    """Changes when the cases, their labels, groups or splits, the task or the settings of fitting change."""
    rows = sorted((c.id, c.label or "", c.group or "", c.split or "") for c in cases)
    fitted_by = settings.model_dump(mode="json", exclude={"run": True, "encoder": {"cache_dir", "device"}})
    return hashlib.sha256(json.dumps([rows, task, fitted_by], sort_keys=True).encode()).hexdigest()


def _digest_of(folder: Path) -> str | None:
    if not (folder / "panel" / "panel.json").exists() or not (folder / "fitted.json").exists():
        return None
    try:
        return str(read_json(folder / "fitted.json", limit=10_000)["digest"])
    except (FileError, KeyError):
        return None


def telling(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts worth a look, kinds taking turns: second looks, plain commitments, referrals, wrong commitments."""
    kinds: list[list[Verdict]] = [
        [v for v in verdicts if _right(v) and v.second_look is not None],
        [v for v in verdicts if _right(v) and v.second_look is None],
        [v for v in verdicts if v.decision.action == "refer"],
        [v for v in verdicts if v.decision.action == "commit" and not _right(v)],
    ]
    picked: dict[str, Verdict] = {}
    for i in range(max(map(len, kinds), default=0)):
        for kind in kinds:
            if i < len(kind):
                picked.setdefault(kind[i].case.id, kind[i])
    return list(picked.values())


def _right(verdict: Verdict) -> bool:
    return verdict.decision.action == "commit" and verdict.decision.label == verdict.case.label
