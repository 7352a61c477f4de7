"""Where a panel's sessions lie, and that they are its own: what another one said cannot be talked about."""

import hashlib
from pathlib import Path

import platformdirs

from doubleread.panel import Panel


def folder_of(panel: Panel) -> Path:
    """The folder of the settings; without, one in the user's data that belongs to panels like this one."""
    named = panel.settings.sessions.folder
    if named:
        return Path(named).expanduser()
    digest = hashlib.sha256(kind_of(panel).encode()).hexdigest()[:16]
    return platformdirs.user_data_path("doubleread") / "sessions" / digest


def kind_of(panel: Panel) -> str:
    """What panels share that can go on with each other's sessions: the task, its labels, and who reads."""
    return f"task {panel.task.id!r} ({', '.join(panel.task.names)}), read by {', '.join(panel.agents)}"
