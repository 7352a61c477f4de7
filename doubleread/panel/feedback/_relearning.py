"""Relearns trust from the calibration cases and the outcomes, as a new version."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from doubleread.core.errors import PanelError
from doubleread.core.notices import divided
from doubleread.core.reading import Outcome
from doubleread.core.trust import TrustProfile
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.kept import readings_of
from doubleread.panel.feedback._graded_cases import calibration_rows
from doubleread.panel.fitting import arbiter_notes, learn_trust
from doubleread.panel.outcomes import read_outcomes, sensible
from doubleread.panel.panel_folder import PanelFolder, read_panel
from doubleread.panel.trust_folder import Trust, TrustVersion, add_version


@dataclass(frozen=True)
class Relearned:
    """Relearned trust that is not saved yet."""

    after: Trust
    about: TrustVersion
    left_out: int
    """Number of selected outcomes that were not used."""


def relearn(saved: PanelFolder, *, include_selected: bool = False) -> Relearned:
    """Learns trust from the calibration cases and all standing outcomes; writes nothing.

    Raises ``PanelError`` if there is nothing new to learn from.
    """
    calibration = calibration_rows(saved)
    standing = read_outcomes(saved.folder).standing
    used = tuple(o for o in standing if o.sampling == "all" or include_selected)
    left_out = len(standing) - len(used)
    if used == saved.trust.outcomes:
        raise PanelError(_nothing_new(saved, left_out))
    learned_from = _learned_from(_first(saved), used)
    task = saved.arbiter.task
    with sensible(saved.folder):
        agents, support = saved.settings.panel.agents, saved.arbiter.support
        rows = readings_of(task, agents, [*calibration, *used], learned_from, support)
    rows = replace(rows, first_looks_only=saved.arbiter.first_looks_only)
    arbiter = learn_trust(task, saved.settings, rows)
    version, now = max(saved.pointer.versions) + 1, datetime.now(UTC)
    arbiter = _stamped(arbiter, saved.arbiter, version, now, _warning(used))
    notes, warnings = divided((f"trust was learned from {learned_from}", *arbiter_notes(arbiter)))
    about = TrustVersion(
        version=version,
        parent=saved.trust.version,
        created=now,
        learned_from=learned_from,
        outcomes=len(used),
        selected=sum(outcome.sampling == "selected" for outcome in used),
        profiles=(),
        notes=notes,
        warnings=warnings,
    )
    return Relearned(Trust(version, arbiter, used, about), about, left_out)


def adopt(saved: PanelFolder, relearned: Relearned) -> TrustVersion:
    """Saves a new version, which is used from the next loading on.

    Raises ``PanelError``, leaving the trust unchanged, if that fails or another process has relearned meanwhile.
    """
    add_version(saved.folder, relearned.after, relearned.about)
    return relearned.about


def _first(saved: PanelFolder) -> str:
    """Returns what the fitted trust was learned from."""
    return read_panel(saved.folder, saved.settings, version=1).arbiter.profiles[0].learned_from


def _learned_from(first: str, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return first
    days = sorted(outcome.time.date().isoformat() for outcome in outcomes)
    selected = sum(outcome.sampling == "selected" for outcome in outcomes)
    when = days[0] if days[0] == days[-1] else f"{days[0]}–{days[-1]}"
    chosen = f"; {selected} of them selected" if selected else ""
    plural = "" if len(outcomes) == 1 else "s"
    return f"{first} and {len(outcomes)} confirmed outcome{plural} ({when}{chosen})"


def _nothing_new(saved: PanelFolder, left_out: int) -> str:
    if not left_out:
        return f"{saved.folder} has no outcome that its trust was not learned from already: confirm verdicts first"
    return (
        f"{saved.folder} has nothing new to learn from: {left_out} outcomes are of selected cases, which are no sample "
        "of what comes; confirm every case of a stream (sampling: all), or include the selected ones"
    )


def _warning(used: Sequence[Outcome]) -> tuple[str, ...]:
    selected = sum(outcome.sampling == "selected" for outcome in used)
    if not selected:
        return ()
    chosen = f"{selected} of {len(used)} outcomes were selected, not sampled"
    return (f"{chosen}: accuracy, label shares and coverage may be off",)


def _stamped(arbiter: Arbiter, before: Arbiter, version: int, now: datetime, warning: tuple[str, ...]) -> Arbiter:
    """Returns the arbiter with the learning time in its profiles; consistency gaps are kept from fitting."""

    def stamped(p: TrustProfile) -> TrustProfile:
        old = before.profile(p.agent, p.round)
        consistency = old.consistency if old else {}
        warnings = (*p.warnings, *warning)
        changed = {"version": version, "created": now, "consistency": consistency, "warnings": warnings}
        return p.model_copy(update=changed)

    return replace(arbiter, profiles=tuple(map(stamped, arbiter.profiles)))
