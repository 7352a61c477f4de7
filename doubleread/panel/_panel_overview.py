"""What a panel shows of itself."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from doubleread.core.trust import CalibrationError, Estimate, TrustProfile
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
            ("left out", ", ".join(panel.left_out)),
            ("accuracy", right),
            ("encoder", encoder),
            ("trust", f"version {panel.trust_version}" if panel.trust_version > 1 else ""),
            ("folder", folder),
        ),
        headings=("calibration images", "n", *(METRICS.get(name).heading for name in COLUMNS)),
        rows=_trust(panel.profiles, panel.left_out),
        warnings=panel.warnings,
        notes=panel.notes,
    )


def _trust(profiles: Sequence[TrustProfile], left_out: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """One row for each agent in use, after calibration, with the panel last."""
    used = [one for one in profiles if one.agent not in left_out and (one.round == 1 or one.agent == PANEL)]
    return tuple((one.agent, str(one.n), *(_shown(one, name) for name in COLUMNS)) for one in used)


def _shown(profile: TrustProfile, name: str) -> str:
    found: Estimate | CalibrationError = getattr(profile, f"calibrated_{name}", None) or getattr(profile, name)
    metric: Metric = METRICS.get(name)
    return metric.display.value(found.value)
