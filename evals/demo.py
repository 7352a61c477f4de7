"""The main job, end to end: read data, split, fit a panel, judge it on images it has never seen, draw, write."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.types import Json
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.datasets import Dataset
from doubleread.evals.measures.evaluating import evaluate_verdicts
from doubleread.evals.measures.evaluation import Evaluation
from doubleread.evals.page import page
from doubleread.evals.runner import run
from doubleread.panel import Panel
from doubleread.panel_folder import check_target
from doubleread.settings import Settings

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What the run came to and where it lies."""

    folder: Path
    evaluation: Evaluation
    results: list[Verdict | Unread]
    reused: bool


def judge(
    dataset: Dataset,
    cases: tuple[Case, ...],
    folder: Path,
    settings: Settings,
    report: Report,
    announce: Callable[[Panel], None],
) -> Outcome:
    """Fits on support and calibration, judges on test, and writes panel, verdicts, figures and page into ``folder``.

    A panel already there that was fitted on the same cases with the same settings is used again, and so are its
    verdicts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest = fingerprint(cases, dataset.task.model_dump(mode="json"), settings)
    reused = _digest_of(folder) == digest
    if not reused:
        check_target(folder / "panel")
        (folder / "fitted.json").unlink(missing_ok=True)
        with Panel.fit(cases, dataset.task, settings=settings, progress=report) as fresh:
            fresh.save(folder / "panel")
        (folder / "fitted.json").write_text(json.dumps({"digest": digest}), encoding="utf-8")
    with Panel.load(folder / "panel", settings=settings) as panel:
        announce(panel)
        tests = [case for case in cases if case.split == "test"]
        results = run(
            panel,
            tests,
            folder / "verdicts.jsonl",
            fitted=digest,
            progress=lambda done, total: report("diagnosing unseen images", done, total),
        )
        verdicts = [result for result in results if isinstance(result, Verdict)]
        found = evaluate_verdicts(verdicts, panel.task, panel.profiles, name=dataset.name, seed=settings.trust.seed)
        (folder / "evaluation.json").write_text(found.model_dump_json(indent=1), encoding="utf-8")
        for name, text in page(dataset, panel.profiles, found, results).items():
            (folder / name).write_text(text, encoding="utf-8")
    return Outcome(folder, found, results, reused)


def fingerprint(cases: tuple[Case, ...], task: Json, settings: Settings) -> str:
    """Changes when the cases, their labels, groups or splits, the task or the settings of fitting change."""
    rows = sorted((c.id, c.label or "", c.group or "", c.split or "") for c in cases)
    fitted_by = settings.model_dump(mode="json", exclude={"run": True, "encoder": {"cache_dir", "device"}})
    return hashlib.sha256(json.dumps([rows, task, fitted_by], sort_keys=True).encode()).hexdigest()


def _digest_of(folder: Path) -> str | None:
    if not (folder / "panel" / "panel.json").exists() or not (folder / "fitted.json").exists():
        return None
    try:
        return str(json.loads((folder / "fitted.json").read_text(encoding="utf-8"))["digest"])
    except (ValueError, KeyError):
        return None
