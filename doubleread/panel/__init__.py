"""Fitting, composing, saving, loading and using a panel, and learning from outcomes. Only ``Panel`` is public."""

from typing import TYPE_CHECKING, Any

from doubleread.core.lazy_modules import submodules

if TYPE_CHECKING:
    from doubleread.panel.panel import Panel

__all__ = ["Panel"]


def __getattr__(name: str) -> Any:
    """Imports ``Panel`` or a module on first access, so that parts of this package load without the others."""
    if name != "Panel":
        return submodules(__name__)(name)
    from doubleread.panel.panel import Panel  # noqa: PLC0415

    return Panel
