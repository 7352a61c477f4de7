"""How a data set is to be read: where labels, images, groups and subjects are found."""

from collections.abc import Mapping
from typing import NamedTuple


class ReadChoice(NamedTuple):
    """Which columns or parts of the path are used."""

    label: str = "label"
    """Column of the label."""
    path: str = "path"
    """Column of the image."""
    group: str | None = None
    """Columns, or ``re:`` and a pattern for the path."""
    subject: str | None = None
    """Columns, or ``re:`` and a pattern for the path."""
    label_level: int | None = None
    """Which folder below the data set names the label: 1 for the first, -1 for the one that holds the image."""
    label_pattern: str | None = None
    """``re:`` and a pattern that takes the label from the path."""
    label_map: Mapping[str, str] | None = None
    """New names of labels: ``{"old": "new"}``."""


USUAL = ReadChoice()
