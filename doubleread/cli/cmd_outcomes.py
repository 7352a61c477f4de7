"""``doubleread trust confirm``, ``retract`` and ``update``: records outcomes and learns from them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import typer

from doubleread.cli.cmd_compare_trust import not_compared
from doubleread.cli.outcome_files import match_labels, only_one, read_labels, read_verdicts
from doubleread.cli.screen import OUT, note, warn, warn_some
from doubleread.cli.tables import comparison_table
from doubleread.core.case import Case
from doubleread.core.errors import DataError, DoublereadError, StoreError
from doubleread.core.notices import warn_user
from doubleread.core.reading import Outcome, Sampling
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
from doubleread.rag.near_copies.copy_finder import hash_picture
from doubleread.settings import Settings, load_settings
from doubleread.settings_sections import PanelSettings

AT_ONCE = 100
"""Outcomes written per step."""


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
    """Confirms every verdict that has a label; reports rows that cannot be used and keeps the others."""
    if (labels is None) == (label is None):
        raise DataError("give the true labels: --labels FILE for several verdicts, or --label NAME for one")
    saved = read_panel(panel, None)
    if archive:
        check_allowed(saved.folder, saved.head.id, asks_of(_without_models(saved.settings), load_settings()))
    if not keeps_readings(saved):
        warn_user(
            [f"{panel} was fitted by an older doubleread: it cannot learn from outcomes before it is fitted again"]
        )
    found, failed = read_verdicts(verdicts)
    if labels is not None:
        truth = match_labels(read_labels(labels), found, failed)
    else:
        truth = {only_one(found, verdicts).case.id: str(label)}
    wanted = [(verdict, truth[verdict.case.id]) for verdict in found if verdict.case.id in truth]
    told = _told(saved, wanted, failed, sampling=sampling, reviewer=reviewer, note=said)
    kept = _kept(saved, told, failed)
    warn_some(failed, "{n} more rows could not be used")
    if kept and sampling == "selected":
        note(
            "stored as selected cases: used to detect drift, but not to learn trust (see --include-selected); "
            "use --sampling all if you confirm every case"
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
    """Returns the outcome of each verdict, not yet stored; problems are added to ``failed``."""
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
    """Stores outcomes in batches and returns those that are stored; problems are added to ``failed``."""
    stored: list[tuple[Case, Outcome]] = []
    for start in range(0, len(told), AT_ONCE):
        part = told[start : start + AT_ONCE]
        try:
            stored += _keep(saved, part)
        except DoublereadError:
            stored += _kept_one_by_one(saved, part, failed)
    if len(stored) < len(told):
        warn(f"{len(stored)} of {len(told)} outcomes are stored; run the same command again to store the others")
    return stored


def _kept_one_by_one(
    saved: PanelFolder, told: Sequence[tuple[Case, Outcome]], failed: list[str]
) -> Iterator[tuple[Case, Outcome]]:
    """Stores the outcomes of a batch one by one; returns those that are stored now or were before."""
    for one in told:
        try:
            yield from _keep(saved, [one])
        except DoublereadError as error:
            failed.append(f"{one[0].source} is not stored: {error}")


def _keep(saved: PanelFolder, told: Sequence[tuple[Case, Outcome]]) -> list[tuple[Case, Outcome]]:
    outcomes = keep(saved, [outcome for _, outcome in told])
    return [(case, outcome) for (case, _), outcome in zip(told, outcomes, strict=True)]


def _joined(saved: PanelFolder, kept: Sequence[tuple[Case, Outcome]]) -> bool:
    """Adds the confirmed cases to the panel's archive and reports it; False if the disk could not take them all."""
    unseen: list[str] = []
    joined, refused = 0, ""
    try:
        for one in _archived(saved, kept, unseen):
            joined += one
    except StoreError as error:
        refused = str(error)
    warn_some([f"stored as an outcome, but not in the archive: {problem}" for problem in unseen], "{n} more such cases")
    note(f"{joined} cases were added to the panel's archive, where they serve as similar cases")
    if refused:
        left = len(kept) - len(unseen) - joined
        warn(f"{left} cases are stored as outcomes, but not in the archive: {refused}; run the same command again")
    return not refused


def _archived(saved: PanelFolder, kept: Sequence[tuple[Case, Outcome]], unseen: list[str]) -> Iterator[int]:
    """Yields 1 per case in the archive; pictures that can no longer be read are added to ``unseen``."""
    settings, limits = _without_models(saved.settings), saved.head.pictures.limits
    with closing(open_eyes(settings, saved.head.encoder, limits=limits)) as eyes:
        seen = eyes.embed_all([case for case, _ in kept])
        unseen += [f"{one.source}: {one.problem}" for one in seen.unread]
        with closing(open_store(saved, eyes)) as store:
            for row, i in enumerate(seen.kept):
                case, outcome = kept[i]
                remember(store, case, outcome, seen.embeddings[row, :1], hash_picture(case, eyes.images))
                yield 1


def _without_models(settings: Settings) -> Settings:
    return settings.model_copy(update={"panel": PanelSettings(agents=("neighbours",))})


def announce_outcomes(saved: PanelFolder) -> None:
    """Prints the number of outcomes, and whether they agree with the trust learned without them."""
    outcomes = read_outcomes(saved.folder)
    warn_user((*saved.warnings, *outcomes.problems))
    if not outcomes.standing:
        return
    if not keeps_readings(saved):
        old = (
            "fitted by an older doubleread: outcomes can be neither learned from nor watched before it is fitted again"
        )
        warn_user([old])
        return
    found = drifts(saved)
    seen = max((drift.n for drift in found), default=0)
    note(f"{len(outcomes.standing)} confirmed outcomes, {seen} of them new since this version and checked for drift")
    alarms = [drift for drift in found if drift.alarm]
    warn_user(map(told, alarms))
    if found and not alarms:
        most = max(found, key=lambda drift: drift.e_value)
        strongest = f"{most.agent} {most.direction}, e = {most.e_value:.2g}"
        note(f"no sign of drift (strongest: {strongest}; alarm at {most.threshold:,.0f})")


def run_retract(cases: Sequence[str], panel: Path, *, reviewer: str, said: str) -> None:
    """Retracts outcomes, from the archive first, so that an interrupted run can be repeated."""
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
                warn(f"{taken} of {len(cases)} were taken back, the others were not: {error}")
                raise typer.Exit(2) from None
            taken += 1
    OUT.print(f"{taken} taken back", highlight=False)


def run_update(panel: Path, *, include_selected: bool, dry_run: bool, to_version: int | None) -> None:
    """Learns trust again, or restores a version, and shows the changes."""
    before = read_panel(panel, None)
    if to_version is not None:
        after = read_panel(panel, None, to_version)
        use_version(panel, after.trust.version)
        note(f"learned from {after.arbiter.profiles[0].learned_from}")
        OUT.print(f"trust version {to_version} is used again", highlight=False)
        return
    new = relearn(before, include_selected=include_selected)
    warn_user(new.about.warnings)
    for line in new.about.notes:
        note(line)
    if new.left_out:
        note(f"{new.left_out} selected outcomes were left out; --include-selected includes them")
    rows = new.after.outcomes
    names = (f"version {before.trust.version}", f"version {new.after.version}")
    then, now = graded(before, rows), graded(before.with_trust(new.after), before.trust.outcomes)
    found = compare(then, now, names)
    OUT.print(comparison_table(found))
    for line in not_compared(found, dict(zip(names, (before.arbiter, new.after.arbiter), strict=True))):
        note(line)
    if dry_run:
        OUT.print("dry run: nothing was written", highlight=False)
        return
    version = adopt(before, new).version
    others = ", ".join(str(one) for one in versions(panel) if one != version)
    OUT.print(
        f"trust version {version} is used from now on (kept: {others}; return with --to-version)",
        highlight=False,
        soft_wrap=True,
    )
