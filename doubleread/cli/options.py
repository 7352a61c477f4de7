"""Flags that several commands share, and flags into settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from doubleread.settings import Settings

AllowFromPanel = Annotated[
    bool,
    typer.Option(
        "--allow-from-panel",
        help="Let this panel use the addresses, key variables and files that its folder names; it is remembered. "
        "`doubleread doctor panel` lists them.",
    ),
]


def settings_of(
    file: Path | None,
    encoder: str | None = None,
    agents: str | None = None,
    rule: str | None = None,
    record: Path | None = None,
    preview: str | None = None,
) -> "Settings":
    """Settings from the file, the environment, and the flags that were given."""
    from doubleread.settings import load_settings

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
