"""Tables of trust and of results."""

from collections.abc import Sequence

from rich.table import Table

from doubleread.core.trust import CalibrationError, Estimate, TrustProfile
from doubleread.panel import Panel


def trust_table(panel: Panel) -> Table:
    """What is known of each agent, from cases it was not fitted on."""
    return profiles_table("Trust, learned on calibration cases", panel.profiles)


def profiles_table(title: str, profiles: Sequence[TrustProfile]) -> Table:
    """One row a profile: accuracy, ECE with its sampling floor, NLL, Brier, OCR."""
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("agent")
    for name in ("look", "n", "accuracy", "ECE", "floor (95 %)", "NLL", "Brier", "OCR"):
        table.add_column(name, justify="right")
    for p in profiles:
        look = "" if p.agent == "panel" else "second" if p.round > 1 else "first"
        table.add_row(
            f"[bold]{p.agent}[/bold]" if p.agent == "panel" else p.agent,
            look,
            str(p.n),
            percent(p.accuracy),
            _ece(p.ece),
            f"{p.ece.floor_high:.3f}",
            number(p.nll),
            number(p.brier),
            f"{p.ocr:.3f}",
        )
    return table


def percent(e: Estimate) -> str:
    """``93.1 % (90.0–95.4)``."""
    return f"{e.value * 100:.1f} % ({e.low * 100:.1f}–{e.high * 100:.1f})"


def number(e: Estimate) -> str:
    """``0.103 (0.080–0.130)``."""
    return f"{e.value:.3f} ({e.low:.3f}–{e.high:.3f})"


def _ece(e: CalibrationError) -> str:
    return f"{e.value:.3f}" + (" ✓" if e.value <= e.floor_high else "")
