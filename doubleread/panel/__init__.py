"""Fitting, composing, saving, loading and using a panel, and learning from outcomes. Only ``Panel`` is public."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doubleread.panel.panel import Panel

__all__ = ["Panel"]


def __getattr__(name: str) -> Any:
    """Imports ``Panel`` on first access, so that parts of this package load without it."""
    if name != "Panel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from doubleread.panel.panel import Panel  # noqa: PLC0415

    return Panel
