"""Flags into settings."""

from pathlib import Path
from typing import Any

from doubleread.settings import Settings, load_settings


def settings_of(
    file: Path | None,
    encoder: str | None = None,
    agents: str | None = None,
    rule: str | None = None,
    record: Path | None = None,
    preview: str | None = None,
) -> Settings:
    """Settings from the file, the environment, and the flags that were given."""
    flags: dict[str, dict[str, Any]] = {}
    if encoder is not None:
        flags["encoder"] = {"name": encoder}
    if agents is not None:
        flags["panel"] = {"agents": tuple(name.strip() for name in agents.split(",") if name.strip())}
    if rule is not None:
        flags["fusion"] = {"rule": rule}
    if record is not None:
        flags["run"] = {"record": str(record)}
    if preview is not None:
        flags["sessions"] = {"preview": preview}
    return load_settings(file, flags)
