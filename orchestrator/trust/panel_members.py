"""Every agent of a panel with its state: what all tables of agents are made of."""

from collections.abc import Iterable

from doubleread.core.trust import PanelMember, TrustProfile
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.learning.arbitration import PANEL


def panel_members(arbiter: Arbiter) -> tuple[PanelMember, ...]:
    """Returns every agent and referee in the panel's order, those that are never asked included."""
    whole, notes = arbiter.profile(PANEL), (*arbiter.notes, *arbiter.warnings)
    return tuple(
        PanelMember(
            agent=name,
            n=0 if (found := arbiter.profile(name)) is None else found.n,
            cases=_asked(found or whole),
            unused=_why_left_out(name, notes) if name in arbiter.left_out else "",
            no_second_look=arbiter.first_looks_only.get(name, ""),
        )
        for name in arbiter.agents
    )


def left_out(arbiter: Arbiter) -> dict[str, str]:
    """The agents and referees left out in fitting, with reasons."""
    return {one.agent: one.unused for one in panel_members(arbiter) if one.unused}


def _asked(profile: TrustProfile | None) -> int:
    return 0 if profile is None else profile.n + profile.abstained


def _why_left_out(name: str, notes: Iterable[str]) -> str:
    """The reason in the fitting note: ``no better than chance``."""
    note = next((one for one in notes if one.startswith((f"{name} is left out", f"referee {name} left out"))), "")
    reason = note.partition(": ")[2].partition(" (gain ")[0]
    return reason.removeprefix("on the calibration cases it is ") or "left out when the panel was fitted"
