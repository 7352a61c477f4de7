"""A panel judged on a data set: the run, begun or gone on with, in one call."""

import contextlib
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.notices import first_few
from doubleread.core.process import at_rest
from doubleread.core.task import Task
from doubleread.evals.datasets import LabelledCases
from doubleread.evals.datasets.label_hints import as_task_spells, hint, unknown_labels
from doubleread.evals.runs._interruptions import waited
from doubleread.evals.runs._run_identity import left_out, run_record
from doubleread.evals.runs.batch_pictures import write_comparison
from doubleread.evals.runs.run_engine import Engine, LocalEngine, NumberedCase
from doubleread.evals.runs.run_folder import RECORD, RunFolder, read_record
from doubleread.evals.runs.run_record import RunRecord, Shard
from doubleread.evals.runs.runner import End, Watch, run
from doubleread.evals.runs.selection import ALL, Selection, select
from doubleread.evals.runs.subject_rows import write_subjects
from doubleread.panel import Panel

RUNS = Path("runs")
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class RunOutcome:
    """Where a run lies and how it ended."""

    folder: Path
    end: End
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RunChoice:
    """Which part of a data set to run, and where to."""

    out: Path | None = None
    """None: a folder under ``runs/``, the unfinished one of the same run where there is one."""
    split: str | None = None
    limit: int | None = None
    shard: Shard | None = None
    retry: bool = False
    """Whether failed cases are tried again."""


def evaluate(
    panel: Panel,
    dataset: LabelledCases,
    wanted: RunChoice = RunChoice(),
    *,
    watch: Watch = lambda _tally: None,
    announce: Callable[[Path, Sequence[str]], None] = lambda _folder, _notes: None,
    stop: threading.Event | None = None,
) -> RunOutcome:
    """Diagnoses the cases that have no verdict yet, and returns when all have one, or it was stopped.

    The first ``KeyboardInterrupt``, or ``stop``, lets the cases in flight finish; a second one gives them up. Either
    way every row so far is on record, and the same call goes on there. ``announce(folder, notes)`` is called before the
    first case.

    Raises ``DataError`` where no case is left or none has a label of the task, ``RunError`` where the folder cannot be
    used, and ``PanelError`` for a panel that was never saved. On Ray also ``RunError`` where Ray, its cluster or the
    panel cannot be used there.
    """
    engine = _engine(panel)
    cases = as_task_spells(dataset.cases, panel.task.names)
    chosen = select(cases, panel.learned_from, split=wanted.split, limit=wanted.limit, shard=wanted.shard)
    notes = (*chosen.notes, *_unknown(chosen, panel.task))
    record = _record(panel, dataset, chosen, wanted)
    folder = wanted.out or _place(record)
    with RunFolder.begin(folder, record) as begun:
        if wanted.out is None:
            _point(folder)
        announce(folder, notes)
        numbered = [NumberedCase(place, case) for place, case in chosen.chosen]
        halt = stop or threading.Event()
        with at_rest(), Background() as background:
            going = background.submit(run, engine, numbered, begun, watch, halt, retry=wanted.retry)
            end = waited(going, halt)
        if end == "complete":
            write_comparison(panel, folder)
            write_subjects(panel, folder)
    return RunOutcome(folder, end, chosen.notes)


def _engine(panel: Panel) -> Engine:
    if panel.settings.run.engine == "local":
        return LocalEngine(panel, panel.settings.run.in_flight)
    from doubleread.evals.runs._ray_engine import RayEngine  # noqa: PLC0415 - loads Ray, an optional extra

    return RayEngine(panel)


def _record(panel: Panel, dataset: LabelledCases, chosen: Selection, wanted: RunChoice) -> RunRecord:
    return run_record(
        panel,
        dataset.name,
        [_identity(case) for case in chosen.everything],
        cases=len(chosen.chosen),
        notes=(*dataset.notes, *chosen.notes, *left_out(panel)),
        warnings=tuple(dict.fromkeys((*dataset.warnings, *panel.warnings))),
        unusable=0 if wanted.limit else _unusable(dataset, chosen),
        shard=wanted.shard,
    )


def _identity(case: Case) -> tuple[str | None, ...]:
    return (case.id, case.label, case.group, *((case.subject,) if case.subject else ()))


def _unknown(chosen: Selection, task: Task) -> list[str]:
    """A note on labels that the task does not know. Raises ``DataError`` where no image has a label that it knows."""
    cases = [case for _, case in chosen.chosen]
    unknown = unknown_labels(cases, task.names)
    if not unknown:
        return []
    listed = ", ".join(first_few([f"{label} ({n:,})" for label, n in unknown.most_common()], "{n:,} more"))
    told = f"have labels that the panel does not know: {listed}; {hint(unknown, task.names)}"
    if sum(unknown.values()) == len(cases):
        raise DataError(f"all {len(cases):,} images {told}")
    return [f"{sum(unknown.values()):,} of {len(cases):,} images {told}"]


def _unusable(dataset: LabelledCases, chosen: Selection) -> int:
    """Rows of the chosen split that gave no case; 0 where images were learned from: such rows may be among these."""
    if chosen.learned:
        return 0
    return sum(chosen.split in (ALL, problem.split) for problem in dataset.problems)


def _place(record: RunRecord) -> Path:
    """The unfinished run of the same cases under ``runs/``, or a new folder."""
    for head in sorted(RUNS.glob(f"*/{RECORD}"), reverse=True):
        with contextlib.suppress(Exception):
            there = read_record(head.parent)
            if (there.digest, there.shard) == (record.digest, record.shard) and not head.parent.is_symlink():
                return head.parent
    part = "" if record.shard is None else f"-{record.shard.number}of{record.shard.of}"
    return place_of(record.started, record.name, part)


def place_of(started: datetime, name: str, part: str = "") -> Path:
    """A folder under ``runs/`` for what was begun then."""
    return RUNS / f"{started:%Y%m%d-%H%M%S}-{_NAME.sub('-', name).strip('-') or 'run'}{part}"


def _point(folder: Path) -> None:
    """``runs/latest`` names the run, where the system knows links."""
    link = RUNS / "latest"
    with contextlib.suppress(OSError):
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(folder.name, target_is_directory=True)
