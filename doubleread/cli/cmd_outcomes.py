"""``doubleread trust confirm``, ``retract`` and ``update``: what turned out to be true, and learning from it."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import typer
from pydantic import ValidationError

from doubleread.cli.cmd_fit import SHOWN_PROBLEMS
from doubleread.cli.screen import OUT, note, warn
from doubleread.cli.tables import comparison_table
from doubleread.core.case import Case
from doubleread.core.errors import DataError, DoublereadError, FileError, StoreError
from doubleread.core.reading import Outcome, Sampling
from doubleread.core.safe_files import read_text
from doubleread.core.verdict import Verdict
from doubleread.evals.trust_comparison import compare
from doubleread.orchestrator.trust.drift import told
from doubleread.panel.composition import open_eyes
from doubleread.panel.consent import asks_of, check_allowed
from doubleread.panel.feedback import (
    adopt,
    calibration_cases,
    check_confirmed,
    drifts,
    fitted_on,
    forget,
    graded,
    keep,
    keeps_readings,
    outcome_of,
    relearn,
    remember,
    retract,
)
from doubleread.panel.outcomes import read_outcomes
from doubleread.panel.panel_folder import PanelFolder, open_store, read_panel, stored
from doubleread.panel.trust_folder import use_version, versions
from doubleread.rag.near_copies import hash_picture
from doubleread.settings import Settings, load_settings
from doubleread.settings_sections import PanelSettings

AT_ONCE = 100
"""Outcomes that are written in one step."""


def run_confirm(
    verdicts: Path,
    labels: Path | None,
    label: str | None,
    panel: Path,
    *,
    sampling: Sampling,
    reviewer: str,
    said: str,
    archive: bool,
) -> None:
    """Confirms every verdict that has a label; rows that cannot be used are named, and all others kept."""
    if (labels is None) == (label is None):
        raise DataError("say what turned out to be true: --labels FILE for several verdicts, or --label NAME for one")
    saved = read_panel(panel, None)
    if archive:
        check_allowed(saved.folder, saved.head.id, asks_of(_without_models(saved.settings), load_settings()))
    if not keeps_readings(saved):
        warn(f"{panel} was fitted by an older doubleread: it cannot learn from outcomes before it is fitted again")
    found, failed = _verdicts(verdicts)
    if labels is not None:
        truth = _matched(_labels(labels), found, failed)
    else:
        truth = {_only(found, verdicts).case.id: str(label)}
    wanted = [(verdict, truth[verdict.case.id]) for verdict in found if verdict.case.id in truth]
    told = _told(saved, wanted, failed, sampling=sampling, reviewer=reviewer, note=said)
    kept = _kept(saved, told, failed)
    _warn_of(failed, "rows that could not be used")
    if kept and sampling == "selected":
        note(
            "kept as selected cases: watched for drift of calibration, but not learned from unless asked; "
            "--sampling all where every case of a stream is confirmed"
        )
    counts = Counter(outcome.kind for _, outcome in kept)
    OUT.print(f"{counts['confirmed']} confirmed, {counts['corrected']} corrected", highlight=False)
    whole = _joined(saved, kept) if archive and kept else True
    if failed or not whole:
        raise typer.Exit(1)


def _told(
    saved: PanelFolder,
    wanted: Sequence[tuple[Verdict, str]],
    failed: list[str],
    *,
    sampling: Sampling,
    reviewer: str,
    note: str,
) -> list[tuple[Case, Outcome]]:
    """The outcome of every verdict, not yet written down; what is wrong with the rest is added to ``failed``."""
    found, calibration = [], calibration_cases(saved)
    with stored(saved) as store:
        for verdict, label in wanted:
            own = verdict.case.id in calibration or fitted_on(store, verdict)
            try:
                outcome = outcome_of(saved, verdict, label, own=own, sampling=sampling, reviewer=reviewer, note=note)
                found.append((verdict.case, outcome))
            except DoublereadError as error:
                failed.append(str(error))
    return found


def _kept(saved: PanelFolder, told: Sequence[tuple[Case, Outcome]], failed: list[str]) -> list[tuple[Case, Outcome]]:
    """Writes outcomes down, some at a time; gives those that are stored. Why others are not is added to ``failed``."""
    stored: list[tuple[Case, Outcome]] = []
    for start in range(0, len(told), AT_ONCE):
        part = told[start : start + AT_ONCE]
        try:
            stored += _keep(saved, part)
        except DoublereadError:
            stored += _kept_one_by_one(saved, part, failed)
    if len(stored) < len(told):
        warn(f"{len(stored)} of {len(told)} outcomes are stored; run the same command again for the others")
    return stored


def _kept_one_by_one(
    saved: PanelFolder, told: Sequence[tuple[Case, Outcome]], failed: list[str]
) -> Iterator[tuple[Case, Outcome]]:
    """Those of a part that can be stored, or were before."""
    for one in told:
        try:
            yield from _keep(saved, [one])
        except DoublereadError as error:
            failed.append(f"{one[0].source} is not stored: {error}")


def _keep(saved: PanelFolder, told: Sequence[tuple[Case, Outcome]]) -> list[tuple[Case, Outcome]]:
    outcomes = keep(saved, [outcome for _, outcome in told])
    return [(case, outcome) for (case, _), outcome in zip(told, outcomes, strict=True)]


def _warn_of(problems: Sequence[str], what: str) -> None:
    """The first of many, and how many more there are."""
    for problem in problems[:SHOWN_PROBLEMS]:
        warn(problem)
    if len(problems) > SHOWN_PROBLEMS:
        warn(f"… and {len(problems) - SHOWN_PROBLEMS} more {what}")


def _joined(saved: PanelFolder, kept: Sequence[tuple[Case, Outcome]]) -> bool:
    """Puts the confirmed cases into the panel's archive, and tells; False where the disk did not take them all."""
    unseen: list[str] = []
    joined, refused = 0, ""
    try:
        for one in _archived(saved, kept, unseen):
            joined += one
    except StoreError as error:
        refused = str(error)
    _warn_of([f"kept as an outcome, but not in the archive: {problem}" for problem in unseen], "such cases")
    note(f"{joined} cases joined the panel's archive: they are evidence for others from now on")
    if refused:
        left = len(kept) - len(unseen) - joined
        warn(f"{left} cases are kept as outcomes, but not in the archive: {refused}; run the same command again")
    return not refused


def _archived(saved: PanelFolder, kept: Sequence[tuple[Case, Outcome]], unseen: list[str]) -> Iterator[int]:
    """1 for every case that is in the archive; pictures that can no longer be read are added to ``unseen``."""
    eyes = open_eyes(_without_models(saved.settings), saved.head.encoder)
    try:
        seen = eyes.embed_all([case for case, _ in kept])
        unseen += [f"{one.source}: {one.problem}" for one in seen.unread]
        with closing(open_store(saved, eyes)) as store:
            for row, i in enumerate(seen.kept):
                case, outcome = kept[i]
                remember(store, case, outcome, seen.embeddings[row, :1], hash_picture(case, eyes.images))
                yield 1
    finally:
        eyes.close()


def _without_models(settings: Settings) -> Settings:
    """The same encoder, and no other sight."""
    return settings.model_copy(update={"panel": PanelSettings(agents=("neighbours",))})


def announce_outcomes(saved: PanelFolder) -> None:
    """How many outcomes there are, and whether they agree with the trust that they had no part in."""
    outcomes = read_outcomes(saved.folder)
    for problem in outcomes.problems:
        warn(problem)
    if not outcomes.standing:
        return
    if not keeps_readings(saved):
        warn(
            "fitted by an older doubleread: outcomes can be neither learned from nor watched before it is fitted again"
        )
        return
    found = drifts(saved)
    seen = max((drift.n for drift in found), default=0)
    note(f"{len(outcomes.standing)} confirmed outcomes, {seen} of them new to this version and watched for drift")
    alarms = [drift for drift in found if drift.alarm]
    for drift in alarms:
        warn(told(drift))
    if found and not alarms:
        most = max(found, key=lambda drift: drift.e_value)
        strongest = f"{most.agent} {most.direction}, e = {most.e_value:.2g}"
        note(f"no sign of drift (strongest: {strongest}; alarm at {most.threshold:,.0f})")


def run_retract(cases: Sequence[str], panel: Path, *, reviewer: str, said: str) -> None:
    """Takes outcomes back, out of the archive first: what is cut short can be done again."""
    saved, taken = read_panel(panel, None), 0
    with stored(saved) as store:
        for case in cases:
            try:
                check_confirmed(saved, case)
                forget(store, case, reviewer)
                retract(saved, case, reviewer=reviewer, note=said)
            except DoublereadError as error:
                if not taken:
                    raise
                warn(f"{taken} of {len(cases)} are taken back, the others are not: {error}")
                raise typer.Exit(2) from None
            taken += 1
    OUT.print(f"{taken} taken back", highlight=False)


def run_update(panel: Path, *, include_selected: bool, dry_run: bool, to_version: int | None) -> None:
    """Learns trust anew, or goes back to a version; shows what that changes."""
    before = read_panel(panel, None)
    if to_version is not None:
        after = read_panel(panel, None, to_version)
        use_version(panel, after.trust.version)
        note(f"learned from {after.arbiter.profiles[0].learned_from}")
        OUT.print(f"trust version {to_version} counts again", highlight=False)
        return
    new = relearn(before, include_selected=include_selected)
    for line in new.about.notes:
        note(line)
    if new.left_out:
        note(f"{new.left_out} selected outcomes left out; --include-selected takes them in")
    rows = new.after.outcomes
    names = (f"version {before.trust.version}", f"version {new.after.version}")
    then, now = graded(before, rows), graded(before.with_trust(new.after), before.trust.outcomes)
    OUT.print(comparison_table(compare(then, now, names)))
    if dry_run:
        OUT.print("dry run: nothing was written", highlight=False)
        return
    version = adopt(before, new).version
    others = ", ".join(str(one) for one in versions(panel) if one != version)
    OUT.print(
        f"trust version {version} counts from now on (kept: {others}; back with --to-version)",
        highlight=False,
        soft_wrap=True,
    )


def _verdicts(path: Path) -> tuple[list[Verdict], list[str]]:
    """The verdicts of a file with one JSON object a line, ``-`` for standard input, and what is none."""
    text = sys.stdin.read() if str(path) == "-" else _text(path)
    found, failed = {}, []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            verdict = Verdict.model_validate_json(line)
            found[verdict.case.id] = verdict
        except ValidationError:
            failed.append(f"{path}, line {number}: no verdict (`doubleread diagnose --json` writes them)")
    return list(found.values()), failed


def _text(path: Path) -> str:
    try:
        return read_text(path, encoding="utf-8-sig")
    except FileError as error:
        raise DataError(f"{error}: name a table or verdicts saved as UTF-8") from None


def _only(verdicts: Sequence[Verdict], path: Path) -> Verdict:
    if len(verdicts) != 1:
        raise DataError(f"{path} holds {len(verdicts)} verdicts; --label is for one: name a file with --labels")
    return verdicts[0]


def _labels(path: Path) -> dict[str, str]:
    """Image or case → label, from a table of two columns; a first row that says so is a heading."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(_text(path))) if any(row)]
    except csv.Error as error:
        raise DataError(f"{path} is no table of commas: {error}") from None
    if bad := next((i for i, row in enumerate(rows, start=1) if len(row) < 2 or not row[0] or not row[1]), None):
        raise DataError(f"{path}, row {bad}: give a case id or image path, and a label")
    headed = rows and rows[0][1].lower() == "label"
    return {row[0]: row[1] for row in rows[1 if headed else 0 :]}


def _matched(labels: Mapping[str, str], verdicts: Sequence[Verdict], failed: list[str]) -> dict[str, str]:
    """Label by case id. A row names a case by id, by its source or path, or by a file name that no other case has."""
    names: dict[str, set[str]] = {}
    for verdict in verdicts:
        case = verdict.case
        for name in {case.id, case.source, Path(case.source).name, str(case.path or case.source)}:
            names.setdefault(name, set()).add(case.id)
    truth = {}
    for name, label in labels.items():
        cases = names.get(name, set())
        if len(cases) == 1:
            truth[next(iter(cases))] = label
        else:
            failed.append(f"{name}: {'several verdicts go by that name' if cases else 'no verdict on it'}")
    return truth
