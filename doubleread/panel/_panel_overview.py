"""What a panel shows of itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doubleread.core.trust import CalibrationError, Estimate, PanelMember, TrustProfile, n_of
from doubleread.orchestrator.learning.arbitration import PANEL
from doubleread.orchestrator.metrics import METRICS
from doubleread.orchestrator.metrics.metric import Metric
from doubleread.render.overview import Overview, counted

if TYPE_CHECKING:
    from doubleread.panel._open_panel import OpenPanel

COLUMNS = ("accuracy", "ece", "nll")


def panel_overview(panel: "OpenPanel", folder: str, encoder: str) -> Overview:
    """Returns a panel's task, agents, trust and warnings."""
    whole = next((one for one in panel.profiles if one.agent == PANEL), None)
    right = "" if whole is None else f"{_shown(whole, 'accuracy')} of {whole.n} calibration images are right"
    return Overview(
        kind="Panel",
        title=f"{panel.task.id}: {counted(panel.task.names, 'label')}",
        facts=(
            ("agents", ", ".join(panel.agents)),
            ("left out", ", ".join(f"{one.agent} ({one.answered})" for one in panel.members if one.unused)),
            ("accuracy", right),
            ("encoder", encoder),
            ("trust", f"version {panel.trust_version}" if panel.trust_version > 1 else ""),
            ("folder", folder),
        ),
        headings=("calibration images", "n", *(METRICS.get(name).heading for name in COLUMNS)),
        rows=_trust(panel.profiles, panel.members),
        lines=tuple(one.note for one in panel.members if one.note),
        warnings=panel.warnings,
        notes=panel.notes,
    )


def _trust(profiles: Sequence[TrustProfile], members: Sequence[PanelMember]) -> tuple[tuple[str, ...], ...]:
    """One row for each agent, after calibration: those in use, the panel, and those that are not used."""
    first = {one.agent: one for one in profiles if one.round == 1}
    unused = [one.agent for one in members if one.unused or one.agent not in first]
    used = [one for name, one in first.items() if name not in unused]
    rows = [(one.agent, n_of(one.n, one.abstained), *(_shown(one, name) for name in COLUMNS)) for one in used]
    return (*rows, *(_unused_row(one, first.get(one.agent)) for one in members if one.agent in unused))


def _unused_row(member: PanelMember, profile: TrustProfile | None) -> tuple[str, ...]:
    cells = ("" if profile is None else _shown(profile, name) for name in COLUMNS)
    return (f"{member.agent} (not used)" if member.unused else member.agent, member.answered, *cells)


def _shown(profile: TrustProfile, name: str) -> str:
    found: Estimate | CalibrationError = getattr(profile, f"calibrated_{name}", None) or getattr(profile, name)
    metric: Metric = METRICS.get(name)
    return metric.display.value(found.value)
