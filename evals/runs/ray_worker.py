"""What a worker of a run on Ray does: it loads the panel and reads cases. Nothing here knows Ray."""

import socket
from typing import Any, NamedTuple

from doubleread.core.case import Case
from doubleread.core.notices import already_said
from doubleread.core.verdict import Verdict
from doubleread.evals.runs.row import Row
from doubleread.panel import Panel
from doubleread.settings import load_settings


class ReaderReply(NamedTuple):
    """A case's row, as the line it is in a run, and what the worker has spent on models by then."""

    line: str
    cost_usd: float
    calls: int


class RunReader:
    """One process with a panel of its own; what goes in and out is text and numbers."""

    def __init__(self) -> None:
        self._panel: Panel | None = None

    async def open(self, folder: str, settings: dict[str, Any], expected: dict[str, str]) -> str:
        """Loads the panel; returns what is wrong with it here, or nothing.

        ``expected``: its ``facts`` where the run was begun.
        """
        host = socket.gethostname()
        try:
            with already_said():  # where the run was begun
                self._panel = Panel.load(folder, settings=load_settings(None, settings))
            here = facts(self._panel)
        except Exception as error:  # noqa: BLE001 - told where the run was begun
            return f"the worker on {host} cannot load the panel: {error}"
        other = [f"{name} {here[name]} instead of {value}" for name, value in expected.items() if here[name] != value]
        return f"the worker on {host} would give other answers: it has {', '.join(other)}" if other else ""

    async def read(self, place: int, case: str) -> ReaderReply:
        """The row of a case, which is given as JSON."""
        assert self._panel is not None
        asked = Case.model_validate_json(case)
        ((_, result),) = [answer async for answer in self._panel.astream([asked])]
        verdict, unread = (result, None) if isinstance(result, Verdict) else (None, result)
        spent = self._panel.spent.values()
        return ReaderReply(
            Row(index=place, case=asked, verdict=verdict, unread=unread).line(),
            sum(one.cost_usd for one in spent),
            sum(one.calls for one in spent),
        )

    async def close(self) -> None:
        """Lets go of the panel, so that its files are as they should be when the process is ended."""
        if self._panel is not None:
            self._panel.close()


def facts(panel: Panel) -> dict[str, str]:
    """What must be equal on all machines that read cases of one run."""
    about = panel.about()
    installed = about.provenance["packages"].get("doubleread", "none")
    return {"panel": about.digest, "archive": about.archive, "doubleread": installed}
