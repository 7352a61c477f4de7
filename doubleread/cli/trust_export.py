"""Trust profiles as CSV or JSON, with every agent of the panel."""

import json

from doubleread.cli.tables import csv_text, figures
from doubleread.core.trust import PanelMember
from doubleread.core.types import Json
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.trust.panel_members import panel_members


def trust_csv(arbiter: Arbiter) -> str:
    """Formats the figures of each profile as a row, and those of agents without a profile as empty."""
    rows = [{**figures(p), "unused": _unused(arbiter).get(p.agent, "")} for p in arbiter.profiles]
    nothing = dict.fromkeys(key for row in rows for key in row)
    return csv_text([*rows, *({**nothing, **row} for row in _silent(arbiter))])


def trust_json(arbiter: Arbiter) -> str:
    """Formats each profile as an object; ``unused`` says why an agent is never asked."""
    known = [{**p.model_dump(mode="json"), "unused": _unused(arbiter).get(p.agent, "")} for p in arbiter.profiles]
    return json.dumps([*known, *_silent(arbiter)], indent=1)


def _unused(arbiter: Arbiter) -> dict[str, str]:
    return {one.agent: one.unused for one in panel_members(arbiter)}


def _silent(arbiter: Arbiter) -> list[Json]:
    known = {p.agent for p in arbiter.profiles}
    return [_row(one) for one in panel_members(arbiter) if one.agent not in known]


def _row(one: PanelMember) -> Json:
    return {"agent": one.agent, "round": 1, "n": one.n, "abstained": one.cases - one.n, "unused": one.unused}
