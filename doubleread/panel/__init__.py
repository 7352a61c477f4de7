"""The panel: fitted, composed, loaded, saved, used, and learned again from outcomes.

Only ``Panel`` is public; everything else here may change.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doubleread.panel.panel import Panel

__all__ = ["Panel"]


def __getattr__(name: str) -> Any:
    """``Panel``, imported when it is asked for, so that parts of this package load without it."""
    if name != "Panel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from doubleread.panel.panel import Panel  # noqa: PLC0415

    return Panel
